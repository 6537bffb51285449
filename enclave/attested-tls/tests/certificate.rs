//! What relying parties' code reads in certificates that are made here, and what TLS libraries make of the key.

use std::cell::Cell;

use attested_tls::{Name, Request, TlsKey, Validity};
use ra_tls::RaTlsCertificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const NAMES: &[Name<'_>] = &[Name::Dns(b"server.example"), Name::Address(&[192, 0, 2, 1])];
const QUOTE: &[u8] = &[5; 4700];

fn key(seed: u8) -> TlsKey {
    TlsKey::generate(|bytes| bytes.fill(seed))
}

fn request(names: &'static [Name<'static>]) -> Request<'static> {
    Request {
        validity: Validity {
            from: 1_700_000_000,
            until: 2_600_000_000,
        },
        serial_number: [0xff; 16],
        names,
    }
}

fn certificate(key: &TlsKey, names: &'static [Name<'static>]) -> (CertificateDer<'static>, [u8; 64]) {
    let asked = Cell::new([0; 64]);
    let pem = key.certificate(&request(names), |data| {
        asked.set(*data);
        Ok::<_, ()>(QUOTE.to_vec())
    });
    (
        CertificateDer::from_pem_slice(&pem.unwrap()).unwrap(),
        asked.get(),
    )
}

#[test]
fn a_relying_party_reads_the_certificate() {
    let key = key(3);
    for names in [&[][..], NAMES] {
        let (der, report_data) = certificate(&key, names);
        // Also checks the signature, by another implementation.
        let read = RaTlsCertificate::parse(&der).unwrap();
        assert_eq!(read.subject(), "CN=Nacre RA-TLS");
        assert_eq!(read.key_kind(), "P-256");
        assert_eq!(read.info(), key.info());
        assert_eq!(read.serial_number(), format!("7f{}", "ff".repeat(15)));
        assert_eq!(
            (read.validity().from.0, read.validity().until.0),
            (1_700_000_000, 2_600_000_000)
        );
        let [evidence] = read.evidence() else {
            panic!("{:?}", read.evidence())
        };
        assert_eq!(evidence.quote(), QUOTE);
        assert_eq!(evidence.check_binding(&key.info(), &report_data), Ok(()));
        let mut other = report_data;
        other[0] ^= 1;
        assert!(evidence.check_binding(&key.info(), &other).is_err());
    }
}

#[test]
fn no_bit_of_the_certificate_can_be_changed() {
    let (der, report_data) = certificate(&key(3), NAMES);
    // A few of each byte's bits: parsing is not for free.
    for at in 0..der.len() {
        let mut changed = der.to_vec();
        changed[at] ^= 1 << (at % 8);
        let read = RaTlsCertificate::parse(&changed);
        let is_bound = read.is_ok_and(|read| {
            read.evidence()[0]
                .check_binding(read.info(), &report_data)
                .is_ok()
        });
        assert!(!is_bound, "byte {at}");
    }
}

#[test]
fn tls_takes_key_and_certificate_together() {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let load = |key: &TlsKey| {
        provider
            .key_provider
            .load_private_key(PrivateKeyDer::from_pem_slice(&key.to_pem()).unwrap())
    };
    for seed in [1, 3, 0x80, 0xf0] {
        let key = key(seed);
        let (der, _) = certificate(&key, NAMES);
        let loaded = load(&key).unwrap();
        let certified = rustls::sign::CertifiedKey::new(vec![der.clone()], loaded);
        assert_eq!(certified.keys_match(), Ok(()));
        let other = rustls::sign::CertifiedKey::new(vec![der], load(&self::key(2)).unwrap());
        assert!(other.keys_match().is_err());
    }
}

#[test]
fn bytes_that_are_no_key_are_not_taken() {
    // Zero and the group's order are not scalars of the curve.
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut attempts = [[0; 32], order, [7; 32]].into_iter();
    let made = TlsKey::generate(|bytes| bytes.copy_from_slice(&attempts.next().unwrap()));
    assert_eq!(made.info(), key(7).info());
    assert_eq!(format!("{made:?}"), "TlsKey { .. }");
}

#[test]
fn without_a_quote_there_is_no_certificate() {
    let refused = key(3).certificate(&request(NAMES), |_| Err("no quoting enclave"));
    assert_eq!(refused.err(), Some("no quoting enclave"));
}
