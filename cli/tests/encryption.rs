//! `nacre convert --encrypt`: where the key goes, and what is left of the image without it.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::Workplace;

#[test]
fn a_key_is_made_and_used_again() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let convert = |target| place.succeed(["convert", "--encrypt", "--image-key", "image.key", plain, target]);
    let said = convert("oci-archive:one.tar");
    assert!(
        said.contains("image key    image.key (made; its name is "),
        "{said}"
    );
    let mode = fs::metadata(place.path("image.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = convert("oci-archive:two.tar");
    assert!(said.contains("image.key (used; its name is "), "{said}");
    assert_eq!(
        fs::read(place.path("one.tar")).unwrap(),
        fs::read(place.path("two.tar")).unwrap(),
        "the same key gives the same bytes"
    );
    let name = said
        .rsplit_once("its name is ")
        .unwrap()
        .1
        .trim_end()
        .trim_end_matches(')');
    let shown = place.succeed(["inspect", "oci-archive:one.tar"]);
    assert!(
        shown.contains(&format!("AES-256-XTS, with the key {name}")),
        "{shown}"
    );
    let shown = place.succeed(["inspect", "--json", "oci-archive:one.tar"]);
    assert!(shown.contains(name), "{shown}");
}

#[test]
fn nothing_of_the_files_is_in_the_image() {
    let place = Workplace::new();
    let secret = b"a line that is in no other file of this image";
    let plain = place.plain_image_with(&secret.repeat(1000));
    place.succeed(["convert", plain, "oci-archive:plain-rootfs.tar"]);
    place.succeed([
        "convert",
        "--encrypt",
        "--image-key",
        "image.key",
        plain,
        "oci-archive:encrypted.tar",
    ]);
    let is_in = |name: &str| {
        let bytes = fs::read(place.path(name)).unwrap();
        bytes.windows(32).any(|window| window == &secret[..32])
    };
    assert!(is_in("plain-rootfs.tar"));
    assert!(!is_in("encrypted.tar"));
}

#[test]
fn a_conversion_that_fails_leaves_no_key_behind() {
    let place = Workplace::new();
    let line = place.fail([
        "convert",
        "--encrypt",
        "--image-key",
        "image.key",
        "oci:nothing",
        "oci:out",
    ]);
    assert!(line.contains("nothing"), "{line}");
    // The program is missing, which the conversion finds out after it has begun.
    let plain = place.plain_image();
    fs::create_dir(place.path("out")).unwrap();
    fs::write(place.path("out/oci-layout"), "no layout").unwrap();
    place.fail([
        "convert",
        "--encrypt",
        "--image-key",
        "image.key",
        plain,
        "oci:out",
    ]);
    assert_eq!(place.names(), ["out", "plain.tar"]);
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    let place = Workplace::new();
    let plain = place.plain_image();
    let convert = |key| {
        place.fail([
            "convert",
            "--encrypt",
            "--image-key",
            key,
            plain,
            "oci-archive:out.tar",
        ])
    };
    fs::write(place.path("short.key"), [7; 32]).unwrap();
    fs::set_permissions(place.path("short.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(convert("short.key").contains("64 bytes"));
    fs::write(place.path("weak.key"), [7; 64]).unwrap();
    fs::set_permissions(place.path("weak.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(convert("weak.key").contains("two halves"));
    fs::write(place.path("public.key"), (0..64).collect::<Vec<u8>>()).unwrap();
    fs::set_permissions(place.path("public.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(convert("public.key").contains("chmod go="));
    assert!(convert("nowhere/image.key").contains("cannot write the image key"));
    assert!(!place.path("out.tar").exists());
}

#[test]
fn a_run_says_what_is_wrong_with_the_key() {
    let place = Workplace::new();
    let plain = place.plain_image();
    place.confidential_image();
    place.succeed([
        "convert",
        "--encrypt",
        "--image-key",
        "image.key",
        plain,
        "oci-archive:encrypted.tar",
    ]);
    place.succeed([
        "convert",
        "--encrypt",
        "--image-key",
        "other.key",
        plain,
        "oci-archive:other.tar",
    ]);
    for (args, words) in [
        (
            &["run", "encrypted.tar"][..],
            "give its key with --image-key FILE",
        ),
        (
            &["run", "--image-key", "other.key", "encrypted.tar"],
            "encrypted with another key",
        ),
        (&["run", "--image-key", "image.key", "out.tar"], "not encrypted"),
    ] {
        let line = place.fail(args);
        assert!(line.contains(words), "{args:?}: {line}");
    }
}
