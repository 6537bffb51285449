//! What a user sees when something is wrong: one line, status 125, nothing half-written.

mod support;

use std::fs;

use support::{Workplace, test_key};

#[test]
fn mistakes_on_the_command_line() {
    let place = Workplace::new();
    for (args, words) in [
        (&["convert"][..], "SOURCE"),
        (&["frobnicate"], "frobnicate"),
        (&["convert", "redis", "oci:x"], "docker-archive:"),
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
            "no/such/dir",
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
    // The configuration's copy comes first, then the enclave's records, then the signature (SIGSTRUCT.HEADER).
    let places = [
        ("configuration", find(b"/bin/hello")),
        ("enclave", find(b"ECREATE") + 9),
        ("enclave", find(b"EEXTEND") + 100),
        ("signature", find(&[0x06, 0, 0, 0, 0xe1, 0, 0, 0]) + 600),
    ];
    for (what, at) in places {
        let mut tampered = whole.clone();
        tampered[at] ^= 1;
        fs::write(place.path("out.tar"), tampered).unwrap();
        let output = place.nacre(["inspect", image]);
        assert_eq!(output.status.code(), Some(125), "{what}");
        assert!(output.stderr.starts_with(b"nacre: "), "{what}");
    }
}
