//! Certificates with quotes, as a peer may show them, and the extensions by themselves.
//!
//! The first byte says whether the rest is a certificate or an extension in one of the formats.

use ra_tls::{Evidence, Format, RaTlsCertificate};

/// Made by this project, around something that is no quote: signatures differ each time, and inputs must not.
const CERTIFICATES: [&[u8]; 2] = [
    include_bytes!("../certificates/interoperable.der"),
    include_bytes!("../certificates/both.der"),
];

pub(crate) fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    match kind % 3 {
        0 => certificate(rest),
        1 => evidence(Format::Interoperable, rest),
        _ => evidence(Format::Legacy, rest),
    }
}

/// A certificate that is read is signed with its own key: so a fuzzer gets one only from the seeds.
fn certificate(der: &[u8]) {
    if let Ok(certificate) = RaTlsCertificate::parse(der) {
        assert!(CERTIFICATES.contains(&der), "a forgery");
        assert!(!certificate.evidence().is_empty());
    }
}

/// What is read has one form, and no more in it than there was.
fn evidence(format: Format, value: &[u8]) {
    let Ok(evidence) = Evidence::parse(format, value) else {
        return;
    };
    assert_eq!(evidence.format(), format);
    assert!(evidence.quote().len() <= value.len());
    assert_eq!(evidence.claims().is_some(), format == Format::Interoperable);
    // Nobody can find a key for given claims.
    assert!(evidence.check_binding(b"no key", &[0x5a; 64]).is_err());
    if let Some(claims) = evidence.claims() {
        assert!(!claims.key_hash.is_of(b"no key"));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let certificates = CERTIFICATES.iter().map(|der| [&[0], *der].concat());
    // The extension's value stands in the certificate as it is: from the tag on, to the end of the claims.
    let interoperable = CERTIFICATES.iter().map(|der| {
        let start = der
            .windows(3)
            .position(|bytes| bytes == b"\xd9\xea\x60")
            .expect("the tag");
        let evidence = (start..=der.len())
            .map(|end| &der[start..end])
            .find(|value| Evidence::parse(Format::Interoperable, value).is_ok());
        [&[1], evidence.expect("evidence")].concat()
    });
    certificates
        .chain(interoperable)
        .chain([b"\x02quote".to_vec()])
        .collect()
}
