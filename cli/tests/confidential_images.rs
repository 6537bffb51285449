//! Converting, inspecting and signing, as a user does it.

mod support;

use std::fs;
use std::process::{Command, Stdio};

use oci_image::{ContainerConfig, Healthcheck};
use support::{Workplace, test_key};

fn inspect(place: &Workplace, image: &str) -> serde_json::Value {
    serde_json::from_str(&place.succeed(["inspect", image, "--json"])).unwrap()
}

#[test]
fn choices_are_measured_and_shown() {
    let place = Workplace::new();
    let plain = place.plain_image();
    fs::write(
        place.path("nacre.toml"),
        "[enclave]\nsize = \"64M\"\nthreads = 5\n[host]\nallow-env = [\"TZ\"]\n[signature]\nproduct = 3\n",
    )
    .unwrap();
    let out = place.succeed([
        "convert",
        plain,
        "oci:a",
        "--config",
        "nacre.toml",
        "--threads",
        "6",
        "--allow-args",
    ]);
    let report = inspect(&place, "oci:a");
    let configuration = &report["configuration"];
    assert_eq!(configuration["args"], serde_json::json!(["/bin/hello", "world"]));
    assert_eq!(configuration["memory"], 64 << 20);
    assert_eq!(configuration["threads"], 6);
    assert_eq!(configuration["host_may_set_args"], true);
    assert_eq!(configuration["host_may_set_env"], serde_json::json!(["TZ"]));
    assert_eq!(report["signature"]["product"], 3);
    assert_eq!(report["problems"], serde_json::json!([]));
    assert!(out.contains(report["mr_enclave"].as_str().unwrap()));

    place.succeed(["convert", plain, "oci:b"]);
    assert_ne!(inspect(&place, "oci:b")["mr_enclave"], report["mr_enclave"]);
}

#[test]
fn choices_are_found_in_the_current_directory() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let memory = |image: &str| inspect(&place, image)["configuration"]["memory"].clone();
    let convert = |args: &[&str]| {
        let output = place.nacre([&["convert", plain][..], args].concat());
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    fs::write(place.path("nacre.toml"), "[enclave]\nsize = \"64M\"\n").unwrap();
    fs::write(place.path("other.toml"), "[enclave]\nsize = \"65M\"\n").unwrap();
    let said = convert(&["oci:found"]);
    assert_eq!(said.matches("nacre.toml").count(), 1, "{said}");
    assert_eq!(memory("oci:found"), 64 << 20);

    let said = convert(&["oci:named", "--config", "other.toml"]);
    assert!(!said.contains("nacre.toml"), "{said}");
    assert_eq!(memory("oci:named"), 65 << 20);

    // A way to say that there shall be none.
    convert(&["oci:none", "--config", "/dev/null"]);
    assert_eq!(memory("oci:none"), 4u64 << 30);

    fs::write(place.path("nacre.toml"), "[enclave]\nsize = 64\n").unwrap();
    let line = place.fail(["convert", plain, "oci:x"]);
    assert!(line.starts_with("nacre.toml:2:8: enclave.size: "), "{line}");
}

/// Results for programs, without a word beside them.
#[test]
fn quiet_and_as_json() {
    let place = Workplace::new();
    let json = |args: &[&str]| -> serde_json::Value {
        let output = place.nacre([args, &["--json", "-q"]].concat());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert!(output.status.success(), "{args:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let key = json(&["keygen", "key.pem"]);
    let plain = place.plain_image();
    fs::write(place.path("nacre.toml"), "[signature]\nproduct = 7\n").unwrap();
    let made = json(&["convert", plain, "oci-archive:made.tar", "--key", "key.pem"]);
    assert_eq!(made["mr_signer"], key["mr_signer"]);
    assert_eq!(made["image"], "oci-archive:made.tar");
    assert_eq!(made["mr_enclave"], inspect(&place, "made.tar")["mr_enclave"]);
    assert_eq!(made["left_out"], serde_json::json!([]));
    let signed = json(&[
        "sign",
        "oci-archive:made.tar",
        "oci-archive:signed.tar",
        "--key",
        "key.pem",
        "--security-version",
        "3",
    ]);
    assert_eq!(signed["mr_enclave"], made["mr_enclave"]);
    assert_eq!(
        (&signed["product"], &signed["security_version"]),
        (&7.into(), &3.into())
    );
    let elsewhere = json(&["sign", "oci-archive:made.tar", "--digest-out", "digest"]);
    assert_eq!(elsewhere["image"], serde_json::Value::Null);
}

/// Whoever has the source can see that an image was made of it, and with which options.
#[test]
fn an_image_is_made_again() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let options = [
        "--enclave-size",
        "80M",
        "--threads",
        "9",
        "--hostname",
        "app.example",
        "--allow-env",
        "TZ",
    ];
    let more = [
        "--allow-signals",
        "HUP,40",
        "--name-server",
        "192.0.2.1",
        "--product",
        "3",
        "--allow-args",
    ];
    place.succeed(
        [
            &["convert", plain, "oci-archive:made.tar"],
            &options[..],
            &more[..],
        ]
        .concat(),
    );
    let verify = |image: &str, source: &str| {
        let output = place.nacre(["verify", "image", image, "--source", source]);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let (out, status) = verify("oci-archive:made.tar", plain);
    assert!(out.starts_with("MADE OF IT: oci-archive:made.tar"), "{out}");
    assert_eq!(status, Some(0));

    // The options as a file make the same enclave.
    let toml = place.succeed(["inspect", "oci-archive:made.tar", "--toml"]);
    assert!(
        toml.starts_with("[enclave]\nsize = \"80MiB\"\nthreads = 9\n"),
        "{toml}"
    );
    fs::write(place.path("again.toml"), &toml).unwrap();
    place.succeed([
        "convert",
        plain,
        "oci-archive:again.tar",
        "--config",
        "again.toml",
    ]);
    let made = inspect(&place, "made.tar");
    let again = inspect(&place, "again.tar");
    assert_eq!(again["mr_enclave"], made["mr_enclave"]);
    assert_eq!(again["signature"], made["signature"]);

    // Of another source.
    let config = ContainerConfig {
        entrypoint: vec!["/bin/other".into()],
        ..ContainerConfig::default()
    };
    fs::rename(place.path("plain.tar"), place.path("kept.tar")).unwrap();
    let other = place.plain_image_of(config, b"other");
    let (out, status) = verify("oci-archive:made.tar", other);
    assert!(out.starts_with("NOT MADE OF IT: "), "{out}");
    assert!(out.contains("args: [") && out.contains("rootfs_hash: "), "{out}");
    assert_eq!(status, Some(1));
    let line = place.fail(["verify", "image", other, "--source", other]);
    assert!(line.contains("plain"), "{line}");
}

#[test]
fn what_an_image_does_not_get_is_said() {
    let place = Workplace::new();
    let healthcheck = Healthcheck {
        test: vec!["CMD-SHELL".into(), "redis-cli ping".into()],
        ..Healthcheck::default()
    };
    let config = ContainerConfig {
        entrypoint: vec!["/bin/hello".into()],
        healthcheck: Some(healthcheck),
        ..ContainerConfig::default()
    };
    let plain = place.plain_image_of(config, b"");
    let output = place.nacre(["convert", plain, "oci:out"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("HEALTHCHECK is left out"),
        "{said}"
    );
    let plain = place.plain_image();
    let output = place.nacre(["convert", plain, "oci:out"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("HEALTHCHECK"));
}

#[test]
fn an_image_is_converted_wherever_it_comes_from() {
    let place = Workplace::new();
    let plain = place.plain_image();
    place.succeed(["convert", plain, "oci-archive:expected.tar"]);
    let expected = &inspect(&place, "expected.tar")["mr_enclave"];
    // A bare file, and a layout in directories that are made for it.
    place.succeed(["convert", "plain.tar", "oci:new/dir/layout"]);
    assert_eq!(&inspect(&place, "new/dir/layout")["mr_enclave"], expected);
    // A pipe.
    let mut nacre = place.command(["convert", "-", "oci-archive:piped.tar"]);
    let mut child = nacre.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    std::io::copy(&mut fs::File::open(place.path("plain.tar")).unwrap(), &mut pipe).unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success());
    assert_eq!(&inspect(&place, "piped.tar")["mr_enclave"], expected);
}

#[test]
fn nothing_needs_a_home() {
    let place = Workplace::new();
    let plain = place.plain_image();
    fs::write(place.path("file"), "").unwrap();
    let run = |args: &[&str]| {
        let mut nacre = place.command(args);
        nacre.env("XDG_CACHE_HOME", place.path("file"));
        nacre.output().unwrap()
    };
    let key = test_key();
    let convert = ["convert", plain, "oci-archive:out.tar"];
    let output = run(&[&convert[..], &["--key", key.to_str().unwrap()]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let output = run(&convert);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("ends with this run"),
        "{said}"
    );
    assert!(run(&["inspect", "out.tar"]).status.success());
}

#[test]
fn conversion_is_reproducible() {
    let place = Workplace::new();
    let plain = place.plain_image();
    for name in ["a", "b"] {
        place.succeed(["convert", plain, &format!("oci-archive:{name}.tar")]);
    }
    assert!(fs::read(place.path("a.tar")).unwrap() == fs::read(place.path("b.tar")).unwrap());
    assert_eq!(
        place.names(),
        ["a.tar", "b.tar", "plain.tar"],
        "nothing else is left"
    );
}

#[test]
fn what_is_known_of_programs_changes_the_time_alone() {
    let place = Workplace::new();
    let library = fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let plain = place.plain_image_with(&library);
    let cache = place.path("../cache/nacre/callsites");
    let convert = |out: &str| {
        let target = format!("oci-archive:{out}");
        let made: serde_json::Value =
            serde_json::from_str(&place.succeed(["convert", "-q", "--json", plain, &target])).unwrap();
        assert_eq!(made["programs"], 1);
        (made["programs_known"].clone(), fs::read(place.path(out)).unwrap())
    };
    let (known, first) = convert("first.tar");
    assert_eq!(known, 0);
    assert_eq!(convert("second.tar"), (1.into(), first.clone()));

    // An entry that is damaged is found by its digest, and made again.
    let entries: Vec<_> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [entry] = &entries[..] else {
        panic!("{entries:?}")
    };
    let whole = fs::read(entry).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in [&damaged[..], &whole[..100], b""] {
        fs::write(entry, bytes).unwrap();
        assert_eq!(convert("third.tar"), (0.into(), first.clone()));
        assert_eq!(fs::read(entry).unwrap(), whole);
    }
    // Without a place for it, everything is looked at.
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, b"in the way").unwrap();
    assert_eq!(convert("fourth.tar"), (0.into(), first.clone()));
    fs::remove_file(&cache).unwrap();

    assert_eq!(convert("fifth.tar"), (0.into(), first));
    let said = place.succeed(["convert", "-q", plain, "oci-archive:sixth.tar"]);
    assert!(said.contains("; 1 of 1 files were known"), "{said}");
    assert!(place.succeed(["cache", "show"]).contains("callsites   1 files"));
    place.succeed(["cache", "prune"]);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn a_key_that_is_elsewhere_signs_in_two_steps() {
    let place = Workplace::new();
    let image = place.confidential_image();
    let choices = ["--product", "9", "--date", "2026-11-02"];
    let sign = |args: &[&str]| place.succeed([&["sign", image], args, &choices].concat());
    sign(&["--digest-out", "digest", "--bytes-out", "bytes"]);

    let run = |command: &mut Command| assert!(command.status().unwrap().success());
    let file = |name| place.path(name);
    run(Command::new("openssl")
        .args(["pkeyutl", "-sign", "-pkeyopt", "digest:sha256", "-inkey"])
        .arg(test_key())
        .arg("-in")
        .arg(file("digest"))
        .arg("-out")
        .arg(file("signature")));
    run(Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(test_key())
        .arg("-out")
        .arg(file("public.pem")));

    sign(&[
        "oci-archive:signed.tar",
        "--signature",
        "signature",
        "--public-key",
        "public.pem",
    ]);
    let report = inspect(&place, "oci-archive:signed.tar");
    assert_eq!(
        (&report["signature"]["product"], &report["signature"]["date"]),
        (&9.into(), &"2026-11-02".into())
    );
    assert_eq!(report["signature"]["valid"], true);

    // In one step with the same key: the same bytes.
    place.succeed(
        [
            &["sign", image, "oci-archive:here.tar", "--key"],
            &[test_key().to_str().unwrap()][..],
            &choices,
        ]
        .concat(),
    );
    assert!(fs::read(place.path("here.tar")).unwrap() == fs::read(place.path("signed.tar")).unwrap());

    // Forgotten choices: another SIGSTRUCT, so the signature is not for it.
    let line = place.fail([
        "sign",
        image,
        "oci-archive:x.tar",
        "--signature",
        "signature",
        "--public-key",
        "public.pem",
    ]);
    assert!(line.contains("--product"), "{line}");
}

#[test]
fn another_signature_keeps_product_and_security_version() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let convert = ["convert", plain, "oci-archive:out.tar", "--debug"];
    place.succeed([&convert[..], &["--product", "7", "--security-version", "5"]].concat());
    let key = test_key();
    let sign = |args: &[&str]| {
        let words = [
            "sign",
            "out.tar",
            "oci-archive:signed.tar",
            "--key",
            key.to_str().unwrap(),
        ];
        let output = place.nacre([&words[..], args].concat());
        assert!(output.status.success(), "{output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let versions = || {
        let signature = &inspect(&place, "oci-archive:signed.tar")["signature"];
        (
            signature["product"].as_u64().unwrap(),
            signature["security_version"].as_u64().unwrap(),
        )
    };
    let (said, warned) = sign(&[]);
    assert!(said.contains("product 7, security version 5, DEBUG"), "{said}");
    assert_eq!((versions(), warned.as_str()), ((7, 5), ""));
    let (_, warned) = sign(&["--security-version", "6"]);
    assert_eq!((versions(), warned.as_str()), ((7, 6), ""));
    // Only who names a lower one gets it.
    let (_, warned) = sign(&["--security-version", "4"]);
    assert!(warned.contains("falls from 5 to 4"), "{warned}");
    assert_eq!(versions(), (7, 4));

    // What a signature says that is not valid could be anyone's word (SIGSTRUCT.HEADER finds it; the modulus is behind).
    let mut image = fs::read(place.path("out.tar")).unwrap();
    let header = [0x06, 0, 0, 0, 0xe1, 0, 0, 0];
    let at = image
        .windows(header.len())
        .position(|bytes| bytes == header)
        .unwrap();
    image[at + 600] ^= 1;
    fs::write(place.path("out.tar"), image).unwrap();
    let target = ["sign", "out.tar", "oci-archive:signed.tar", "--key"];
    let line = place.fail(target.iter().copied().chain([key.to_str().unwrap()]));
    assert!(line.contains("--security-version"), "{line}");
    sign(&["--product", "7", "--security-version", "5"]);
    assert_eq!(versions(), (7, 5));
}
