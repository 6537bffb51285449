//! `nacre run`: what it refuses before the image runs, and what it keeps in the cache.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use support::Workplace;

/// Where images go that were converted to be run.
fn converted(place: &Workplace) -> PathBuf {
    place.path("../cache/nacre/converted")
}

#[test]
fn the_host_is_told_what_it_may_not_change() {
    let place = Workplace::new();
    let image = place.confidential_image();
    for (args, words) in [
        (&["run", image, "--help"][..], "--allow-args"),
        (
            &["run", "-e", "LD_PRELOAD=/evil.so", image],
            "--allow-env LD_PRELOAD",
        ),
        (&["run", "-p", "8080:80", image], "ports need no mapping"),
        (&["run", "--rm", "-v", "/a:/b", image], "there are no volumes yet"),
        (&["run", "-d", image], "in the background with your shell"),
        (
            &["run", "--fast", image],
            "no option --fast (see nacre run --help)",
        ),
        (&["run", "--trace", image], "--debug"),
        (&["run", "--stats", image], "--debug"),
    ] {
        let line = place.fail(args);
        assert!(line.contains(words), "{args:?}: {line}");
    }
}

#[test]
fn tampered_enclaves_are_refused() {
    let place = Workplace::new();
    let image = place.confidential_image();
    let whole = fs::read(place.path("out.tar")).unwrap();
    let find = |needle: &[u8]| {
        whole
            .windows(needle.len())
            .position(|bytes| bytes == needle)
            .unwrap()
    };
    let signature = find(&[0x06, 0, 0, 0, 0xe1, 0, 0, 0]);
    for at in [
        find(b"EEXTEND") + 100,
        signature + 20,
        signature + 600,
        signature + 964,
    ] {
        let mut tampered = whole.clone();
        tampered[at] ^= 1;
        fs::write(place.path("out.tar"), tampered).unwrap();
        let output = place.nacre(["run", image]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{stderr}");
        assert!(
            stderr.starts_with("nacre: ") && stderr.lines().count() == 1,
            "{stderr}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_plain_image_is_converted_once() {
    let place = Workplace::new();
    let plain = place.plain_image();
    // Its program is no program, so that it fails in the enclave; that is not what this is about.
    let run = || String::from_utf8(place.nacre(["run", plain]).stderr).unwrap();
    assert!(run().contains("plain image"));
    let inodes = || {
        let entries = fs::read_dir(converted(&place)).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().ino())
            .collect::<Vec<_>>()
    };
    let first = inodes();
    assert_eq!(first.len(), 1);
    assert!(run().contains("plain image"));
    assert_eq!(inodes(), first);
    assert_eq!(place.names(), ["plain.tar"]);
}

#[test]
fn what_is_kept_is_shown_and_removed() {
    let place = Workplace::new();
    assert!(
        place
            .succeed(["cache", "show"])
            .contains("converted   0 files, 0 B")
    );
    assert_eq!(place.succeed(["cache", "prune"]), "removed 0 files, 0 B\n");
    let plain = place.plain_image();
    place.nacre(["run", plain]);
    let shown = place.succeed(["cache", "show"]);
    assert!(
        shown.contains("converted   1 files, ") && shown.contains("layers      0 files"),
        "{shown}"
    );
    assert!(place.succeed(["cache", "prune"]).starts_with("removed 1 files, "));
    assert_eq!(fs::read_dir(converted(&place)).unwrap().count(), 0);
    // The development key stays, and with it MRSIGNER.
    assert!(place.path("../cache/nacre/development-key.pem").exists());
}

#[test]
fn a_plain_image_runs_without_a_home() {
    let place = Workplace::new();
    let plain = place.plain_image();
    fs::write(place.path("file"), "").unwrap();
    let mut nacre = place.command(["run", plain]);
    let unusable = place.path("file");
    let output = nacre
        .env("XDG_CACHE_HOME", &unusable)
        .env("XDG_STATE_HOME", &unusable)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // Its program is no program, which only the enclave finds out.
    assert!(
        said.contains("is not kept") && said.contains("emulated enclave"),
        "{said}"
    );
    assert_eq!(place.names(), ["file", "plain.tar"]);
}

#[test]
fn two_that_convert_at_once_do_not_disturb_each_other() {
    let place = Workplace::new();
    let plain = place.plain_image();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| place.nacre(["run", plain]));
        }
    });
    let names: Vec<_> = fs::read_dir(converted(&place)).unwrap().collect();
    assert_eq!(names.len(), 1);
}
