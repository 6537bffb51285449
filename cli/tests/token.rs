//! `nacre attestation attest` and `nacre verify token` without an answer of a service. `tests/conformance` runs them with
//! a real service.

#[expect(dead_code, reason = "the images are for other tests")]
mod support;

use std::fs;

use support::Workplace;

/// A port where nobody listens.
const NOBODY: &str = "https://127.0.0.1:1";

#[test]
fn what_cannot_be_judged_is_one_line() {
    let place = Workplace::new();
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(place.path("ca.pem"), key.cert.pem()).unwrap();
    fs::write(place.path("token"), "e30.e30.AAAA\n").unwrap();
    fs::write(place.path("noise"), [0xff; 100]).unwrap();
    for (words, part) in [
        (
            format!("verify token token --service {NOBODY} --ca ca.pem"),
            "does not answer",
        ),
        (
            format!("attestation attest noise --service {NOBODY} --ca ca.pem"),
            "does not answer",
        ),
        (
            format!("verify token noise --service {NOBODY} --ca ca.pem"),
            "not a token",
        ),
        (
            format!("verify token none --service {NOBODY} --ca ca.pem"),
            "cannot read none",
        ),
        (
            format!("verify token token --service {NOBODY} --ca noise"),
            "certificates as PEM",
        ),
        (
            "verify token token --service http://127.0.0.1 --ca ca.pem".to_owned(),
            "https://",
        ),
        ("verify token token --ca ca.pem".to_owned(), "--service"),
        (
            format!("attestation attest noise --service {NOBODY} --ca ca.pem --runtime-data none"),
            "cannot read none",
        ),
        (
            format!("verify token token --service {NOBODY} --ca ca.pem --mrenclave 5a"),
            "64 hexadecimal digits",
        ),
    ] {
        let line = place.fail(words.split(' '));
        assert!(line.contains(part), "{words}: {line}");
    }
}
