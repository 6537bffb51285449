//! Failures as a user sees them: one line, status 125, nothing half-written.

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use support::{Workplace, test_key};

#[test]
fn mistakes_on_the_command_line() {
    let place = Workplace::new();
    for (args, words) in [
        (&["convert"][..], "SOURCE"),
        (&["frobnicate"], "frobnicate"),
        (&["convert", "redis.tar", "oci:x"], "docker-archive:"),
        (&["convert", "oci:a", "redis:7"], "docker-archive:"),
        (&["run", "docker://Redis:7"], "docker://HOST/NAME"),
        (
            &["run", "docker-daemon:redis:7"],
            "skopeo copy docker-daemon:redis:7 oci-archive:",
        ),
        (&["convert", "oci:a", "x.tar"], "docker-archive:"),
        (
            &["convert", "oci:a", "oci:b", "--enclave-size", "many"],
            "is not a size",
        ),
        (&["convert", "oci:a", "oci:b", "--enclave-size", "56G"], "55 GiB"),
        (&["convert", "oci:a", "oci:b", "--threads", "many"], "--threads"),
        (
            &["convert", "oci:a", "oci:b", "--threads", "0"],
            "between 1 and 2047",
        ),
        (&["convert", "oci:a", "oci:b", "--hostname", "a b"], "host name"),
        (&["convert", "oci:a", "oci:b", "--allow-env", "A=B"], "names only"),
        (
            &["convert", "oci:a", "oci:b", "--date", "yesterday"],
            "YYYY-MM-DD",
        ),
        (&["run"], "IMAGE"),
        (&["keygen"], "FILE"),
        (&["sign", "oci:a", "--signature", "s"], "--public-key"),
    ] {
        let line = place.fail(args);
        assert!(line.contains(words), "{args:?}: {line}");
    }
    let bare = place.nacre(["--version"]);
    assert!(bare.status.success() && bare.stdout.starts_with(b"nacre "));
}

#[test]
fn missing_files() {
    let place = Workplace::new();
    let plain = place.plain_image();
    for (args, words) in [
        (&["convert", "docker-archive:no.tar", "oci:x"][..], "no.tar"),
        (
            &["convert", plain, "oci-archive:no/such/dir/x.tar"],
            "there is no directory no/such/dir",
        ),
        (&["convert", plain, "oci:x", "--config", "no.toml"], "no.toml"),
        (&["convert", plain, "oci:x", "--key", "no.pem"], "no.pem"),
        (&["inspect", "oci:no"], "no"),
        (&["run", "oci-archive:no.tar"], "no.tar"),
        (&["sign", "oci:no", "oci:x", "--key", "no.pem"], "no"),
    ] {
        let line = place.fail(args);
        assert!(line.contains(words), "{args:?}: {line}");
    }
    assert_eq!(place.names(), ["plain.tar"]);
}

#[test]
fn places_that_an_image_cannot_go_to() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let image = place.confidential_image();
    fs::hard_link(place.path("plain.tar"), place.path("same.tar")).unwrap();
    symlink("plain.tar", place.path("link.tar")).unwrap();
    fs::create_dir(place.path("dir")).unwrap();
    fs::write(place.path("dir/file"), "").unwrap();
    let before = place.names();
    for (source, target, words) in [
        (plain, plain, "would be lost"),
        (plain, "oci-archive:plain.tar", "would be lost"),
        (plain, "docker-archive:same.tar", "would be lost"),
        (plain, "docker-archive:../work/link.tar", "would be lost"),
        (plain, "oci-archive:/dev/full", "/dev/full is not a file"),
        (plain, "oci-archive:dir", "dir: is a directory"),
        (plain, "oci:dir", "name a new directory"),
        (plain, "oci:plain.tar", "plain.tar"),
        (plain, "oci-archive:plain.tar/x", "plain.tar"),
        (plain, "docker-archive:x.tar:Big", "lower-case"),
        (image, "oci:again", "already a confidential image"),
    ] {
        let line = place.fail(["convert", source, target]);
        assert!(line.contains(words), "{source} {target}: {line}");
        assert_eq!(place.names(), before);
    }
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());

    // The same directory, but another name in it, is another place.
    place.succeed(["convert", plain, "oci:layout:a"]);
    place.succeed(["convert", plain, "oci:layout:b"]);
    // What nacre made, it replaces.
    let whole = fs::read(place.path("out.tar")).unwrap();
    place.succeed(["convert", plain, image]);
    assert!(fs::read(place.path("out.tar")).unwrap() == whole);
}

#[test]
fn a_place_without_room() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let image = place.confidential_image();
    fs::create_dir(place.path("small")).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(place.path("small"))
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: only root may mount a small file system");
        return;
    }
    let left = || fs::read_dir(place.path("small")).unwrap().count();
    let lines = [
        place.fail(["convert", plain, "oci-archive:small/x.tar"]),
        place.fail(["convert", plain, "oci:small/x"]),
        place.fail([
            "sign",
            image,
            "oci:small/x",
            "--key",
            test_key().to_str().unwrap(),
        ]),
        place.fail([
            "sign",
            image,
            "oci-archive:small/x.tar",
            "--key",
            test_key().to_str().unwrap(),
        ]),
    ];
    let left = left();
    let unmounted = Command::new("umount").arg(place.path("small")).status();
    assert!(unmounted.unwrap().success());
    for line in lines {
        assert!(line.contains("small") && line.contains("No space left"), "{line}");
    }
    assert_eq!(left, 0);
}

#[test]
fn keys_that_cannot_sign() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let key = test_key();
    let openssl = |args: &[&str]| {
        let mut command = Command::new("openssl");
        let output = command.current_dir(place.path("")).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}");
    };
    let key = key.to_str().unwrap();
    openssl(&["genrsa", "-out", "small.pem", "2048"]);
    openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-noout",
        "-out",
        "ec.pem",
    ]);
    openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        key,
        "-out",
        "locked.pem",
        "-passout",
        "pass:x",
    ]);
    openssl(&["pkey", "-in", key, "-pubout", "-out", "public.pem"]);
    openssl(&["pkey", "-in", key, "-outform", "DER", "-out", "der.pem"]);
    let text = fs::read_to_string(key).unwrap();
    fs::write(place.path("cut.pem"), &text[..text.len() / 2]).unwrap();
    fs::write(place.path("empty.pem"), "").unwrap();
    fs::create_dir(place.path("dir.pem")).unwrap();
    let before = place.names();
    for (key, words) in [
        ("small.pem", "has 2048 bits"),
        ("ec.pem", "elliptic curves"),
        ("locked.pem", "passphrase (remove it"),
        ("public.pem", "public key"),
        ("der.pem", "is not text"),
        ("cut.pem", "damaged"),
        ("empty.pem", "holds no key"),
        ("dir.pem", "Is a directory"),
        ("/dev/zero", "is too long"),
    ] {
        let line = place.fail(["convert", plain, "oci:x", "--key", key]);
        assert!(
            line.starts_with("cannot read the key") || line.starts_with(key),
            "{line}"
        );
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(place.names(), before);
}

#[test]
fn an_interrupted_conversion_leaves_nothing_half_written() {
    let place = Workplace::new();
    let plain = place.plain_image_with(&vec![0x5a; 48 << 20]);
    let mut interrupted = 0;
    for milliseconds in [5, 50, 150, 300] {
        for target in ["oci-archive:x.tar", "oci:x"] {
            let mut child = place
                .command(["convert", plain, target])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            sleep(Duration::from_millis(milliseconds));
            let pid = child.id().to_string();
            // It may be over already: then it has written everything.
            let _ = Command::new("kill").args(["-INT", &pid]).output().unwrap();
            if !child.wait().unwrap().success() {
                interrupted += 1;
                if place.names() == ["plain.tar"] {
                    continue;
                }
                // A layout's index comes last: without it there is no image yet, and another conversion completes it.
                if target == "oci:x" && !place.path("x/index.json").exists() {
                    place.succeed(["convert", plain, target]);
                }
            }
            // It was over, or had nothing left to do but to say so: then what is there is whole.
            place.succeed(["inspect", target]);
            let _ = fs::remove_file(place.path("x.tar"));
            let _ = fs::remove_dir_all(place.path("x"));
            assert_eq!(place.names(), ["plain.tar"]);
        }
    }
    assert!(interrupted > 0, "every conversion was faster than its interrupt");
}

#[test]
fn files_that_are_something_else() {
    let place = Workplace::new();
    let plain = place.plain_image();
    fs::write(place.path("noise"), [0x55; 4096]).unwrap();
    fs::write(place.path("bad.toml"), "[enclave]\nthreads = 4\nmemry = \"1G\"\n").unwrap();
    for (args, words) in [
        (&["convert", "docker-archive:noise", "oci:x"][..], "noise"),
        (&["convert", plain, "oci:x", "--key", "noise"], "noise"),
        (
            &["convert", plain, "oci:x", "--config", "bad.toml"],
            "bad.toml:3:1: enclave.memry: unknown field `memry`",
        ),
        (&["inspect", plain], "not a confidential image"),
        (
            &["sign", plain, "oci:x", "--key", "noise"],
            "not a confidential image",
        ),
        (&["inspect", "oci-archive:noise"], "noise"),
    ] {
        let line = place.fail(args);
        assert!(line.contains(words), "{args:?}: {line}");
    }
    assert_eq!(place.names(), ["bad.toml", "noise", "plain.tar"]);
}

#[test]
fn truncated_images_are_refused_wherever_they_end() {
    let place = Workplace::new();
    place.plain_image();
    let whole = fs::read(place.path("plain.tar")).unwrap();
    for part in 0..8 {
        fs::write(place.path("plain.tar"), &whole[..whole.len() * part / 8]).unwrap();
        place.fail(["convert", "docker-archive:plain.tar", "oci-archive:x.tar"]);
        assert_eq!(place.names(), ["plain.tar"]);
    }
    fs::write(place.path("plain.tar"), &whole).unwrap();
    let image = place.confidential_image();
    let whole = fs::read(place.path("out.tar")).unwrap();
    for part in 0..8 {
        fs::write(place.path("out.tar"), &whole[..whole.len() * part / 8]).unwrap();
        for command in ["inspect", "run"] {
            place.fail([command, image]);
        }
    }
}

#[test]
fn a_key_is_never_overwritten() {
    let place = Workplace::new();
    fs::copy(test_key(), place.path("key.pem")).unwrap();
    let line = place.fail(["keygen", "key.pem"]);
    assert!(line.contains("never overwritten"), "{line}");
    assert_eq!(
        fs::read(place.path("key.pem")).unwrap(),
        fs::read(test_key()).unwrap()
    );
}

#[test]
fn tampered_images_do_not_pass_inspection() {
    let place = Workplace::new();
    let image = place.confidential_image();
    assert!(place.succeed(["inspect", image]).contains("valid"));
    let whole = fs::read(place.path("out.tar")).unwrap();
    let find = |needle: &[u8]| {
        whole
            .windows(needle.len())
            .position(|bytes| bytes == needle)
            .unwrap()
    };
    // The LibOS knows these words, too.
    let find_last = |needle: &[u8]| {
        let mut windows = whole.windows(needle.len());
        windows.rposition(|bytes| bytes == needle).unwrap()
    };
    // The configuration's copy comes first, then the enclave's records, then the signature (SIGSTRUCT.HEADER).
    let places = [
        ("configuration", find(b"/bin/hello")),
        ("enclave", find(b"ECREATE") + 9),
        ("enclave", find(b"EEXTEND") + 100),
        ("signature", find(&[0x06, 0, 0, 0, 0xe1, 0, 0, 0]) + 600),
        // The file system's superblock, and the hashes behind dm-verity's.
        ("file system", find_last(&[0xe2, 0xe1, 0xf5, 0xe0])),
        ("hash tree", find_last(b"verity\0\0") + 4096),
    ];
    for (what, at) in places {
        let mut tampered = whole.clone();
        tampered[at] ^= 1;
        fs::write(place.path("out.tar"), tampered).unwrap();
        let output = place.nacre(["inspect", image]);
        assert_eq!(output.status.code(), Some(125), "{what}");
        assert!(output.stderr.starts_with(b"nacre: "), "{what}");
        let said = String::from_utf8_lossy(&output.stderr);
        if what == "file system" || what == "hash tree" {
            assert!(said.contains("/nacre/rootfs.img is damaged"), "{said}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Workplace::new();
    let image = place.confidential_image();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command(["inspect", image]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    // Nowhere to write is one.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(["inspect", image]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        output
            .stderr
            .starts_with(b"nacre: cannot write to standard output")
    );
}

/// A few kilobytes that would become a gigabyte.
#[test]
fn an_image_that_inflates_beyond_its_bound_is_refused() {
    let place = Workplace::new();
    let plain = place.plain_image_with(&vec![0; 3 << 20]);
    for (size, allowed) in [("3M", false), ("4MiB", true)] {
        let line = ["convert", "--max-size", size, plain, "oci-archive:out.tar"];
        if allowed {
            place.succeed(line);
        } else {
            let error = place.fail(line);
            assert!(error.contains("--max-size"), "{error}");
            assert_eq!(place.names(), ["plain.tar"]);
        }
    }
}

/// Known before anything is written: by the layers' sizes, and by the files when the layers have been read.
#[test]
fn a_conversion_that_does_not_fit_ends_before_it_begins() {
    let place = Workplace::new();
    let mut noise = vec![0; 6 << 20];
    let mut state = 1_u32;
    for byte in &mut noise {
        // Nothing that compresses.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let plain = place.plain_image_with(&noise);
    // A file system of 8 MiB, in a name space of its own: the temporary copy of the files fits, the file system does not.
    let script = "mkdir small && mount -t tmpfs -o size=8m tmpfs small && exec \"$@\"";
    let mut command = place.command(["convert", "-q", plain, "oci-archive:out.tar"]);
    let nacre: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(std::ffi::OsStr::to_owned)
        .collect();
    let mut unshare = std::process::Command::new("unshare");
    unshare
        .args(["-rm", "sh", "-ec", script, "sh"])
        .args(nacre)
        .current_dir(place.path(""))
        .env("TMPDIR", place.path("small"))
        .env("XDG_CACHE_HOME", place.path("../cache"));
    command.env_clear();
    let output = unshare.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{error}");
    let line = error.lines().last().unwrap_or_default();
    assert!(
        line.contains("there is no room in") && line.contains("small"),
        "{error}"
    );
    assert!(
        line.contains("at least 6 MiB more, and 2 MiB are free"),
        "{error}"
    );
    assert!(!place.path("out.tar").exists());
}
