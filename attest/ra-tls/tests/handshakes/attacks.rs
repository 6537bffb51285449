//! Tests of certificates that must be refused, each for its reason.

use std::io;
use std::sync::Arc;

use dcap_quote::{CheckedCollateral, Objection, Policy, Quote, TrustedRoot, Validity};
use ra_tls::{
    BindingError, CertificateError, Evidence, EvidenceError, FixedCollateral, Format, Formats, Identity,
    RaTlsCertificate, Refusal, SourceError, UnixTime, Verifier, client_config, server_config,
};
use rcgen::{CustomExtension, KeyPair};
use rustls::pki_types::CertificateDer;
use simulated_platform::{Profile, SimulatedPlatform};

use crate::support::{
    MR_ENCLAVE, NOW, PLATFORM, VALIDITY, attested, checked, forged, handshake, quote, quote_of, quote_with,
    refusal, report_body, request, verifier, verifier_for,
};

const TAGGED: &[u64] = &[2, 23, 133, 5, 4, 9];
const LEGACY: &[u64] = &[0, 6, 9, 42, 840, 113_741, 1337, 6];
const LEGACY_MEANT: &[u64] = &[1, 2, 840, 113_741, 1337, 6];

fn extension(identifier: &[u64], value: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(identifier, value.to_vec())
}

/// The extension's value as it stands in a genuine certificate.
fn tagged(quote: &[u8], claims: &[u8]) -> Vec<u8> {
    let length = |kind: u8, bytes: &[u8]| match bytes.len() {
        len @ 0..=23 => vec![kind | len as u8],
        len @ 24..=255 => vec![kind | 24, len as u8],
        len => [&[kind | 25][..], &(len as u16).to_be_bytes()].concat(),
    };
    [
        b"\xd9\xea\x60\x82",
        &length(0x40, quote)[..],
        quote,
        &length(0x40, claims),
        claims,
    ]
    .concat()
}

/// The claims about a key, as anybody can write them.
fn claims(info: &[u8]) -> Vec<u8> {
    let hash = sha256(info);
    [&b"\xa1\x6bpubkey-hash\x58\x24\x82\x01\x58\x20"[..], &hash].concat()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

fn report_data(hash: &[u8]) -> [u8; 64] {
    let mut data = [0; 64];
    data[..32].copy_from_slice(hash);
    data
}

fn info(key: &KeyPair) -> Vec<u8> {
    use rcgen::PublicKeyData as _;
    key.subject_public_key_info()
}

/// What an attacker without an enclave has: a genuine certificate to copy from, and a key of their own.
#[test]
fn a_quote_of_another_key() {
    let genuine = attested(Formats::Both).certificate;
    let mine = KeyPair::generate().unwrap();
    let certificate = RaTlsCertificate::parse(&genuine).unwrap();
    let theirs = claims(certificate.info());
    // The claims stay with their quote, but the key is mine.
    let stolen = tagged(&quote_of(&genuine, 0), &theirs);
    let copied = forged(&mine, vec![extension(TAGGED, &stolen)]);
    assert_eq!(refusal(&copied), Refusal::Binding(BindingError::KeyHash));
    // The claims are about my key, but the quote does not vouch for them.
    let changed = tagged(&quote_of(&genuine, 0), &claims(&info(&mine)));
    let copied = forged(&mine, vec![extension(TAGGED, &changed)]);
    assert_eq!(refusal(&copied), Refusal::Binding(BindingError::Claims));
    for identifier in [LEGACY, LEGACY_MEANT] {
        let copied = forged(&mine, vec![extension(identifier, &quote_of(&genuine, 1))]);
        assert_eq!(refusal(&copied), Refusal::Binding(BindingError::ReportData));
    }
    // The interoperable quote as a legacy one: its report data is a hash of something else.
    let copied = forged(&mine, vec![extension(LEGACY, &quote_of(&genuine, 0))]);
    assert_eq!(refusal(&copied), Refusal::Binding(BindingError::ReportData));
}

/// By DICE evidence should be critical, and TLS libraries do not know it.
#[test]
fn critical_evidence_is_read_like_any_other() {
    let key = KeyPair::generate().unwrap();
    let claims = claims(&info(&key));
    let quote = quote(&report_data(&sha256(&claims))).unwrap();
    let mut evidence = extension(TAGGED, &tagged(&quote, &claims));
    evidence.set_criticality(true);
    let certificate = forged_for(&key, vec![evidence]);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let private = provider.key_provider.load_private_key(private.into()).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![certificate], private);
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    let (by_client, by_server, _) = handshake(client_config(verifier(), None).unwrap(), server);
    assert_eq!((by_client, by_server), (Ok(()), Ok(())));
}

/// With dates around now.
fn forged_for(key: &KeyPair, extensions: Vec<CustomExtension>) -> CertificateDer<'static> {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2025, 6, 1);
    parameters.not_after = rcgen::date_time_ymd(2025, 7, 1);
    parameters.custom_extensions = extensions;
    parameters.self_signed(key).unwrap().der().clone()
}

/// The whole certificate of an enclave without its private key: the handshake's signature cannot be made.
#[test]
fn a_copied_certificate() {
    let genuine = attested(Formats::Interoperable);
    let mine = KeyPair::generate().unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(mine.serialize_der());
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key.into()).unwrap();
    #[derive(Debug)]
    struct Copied(Arc<rustls::sign::CertifiedKey>);
    impl rustls::server::ResolvesServerCert for Copied {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }
    let certified = rustls::sign::CertifiedKey::new(vec![genuine.certificate], key);
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Copied(Arc::new(certified))));
    let (by_client, _, _) = handshake(client_config(verifier(), None).unwrap(), server);
    assert_eq!(
        by_client,
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::BadSignature
        ))
    );
}

#[test]
fn report_data_that_says_something_else() {
    let with = |change: fn(&mut [u8; 384])| {
        let attested = request().certificate(|data| Ok::<_, io::Error>(quote_with(data, change)));
        attested.unwrap().certificate
    };
    for change in [
        (|body: &mut [u8; 384]| body[320] ^= 1) as fn(&mut [u8; 384]),
        |body| body[351] ^= 0x80,
        |body| body[352] = 1,
        |body| body[383] = 1,
        |body| body[320..].fill(0),
    ] {
        assert_eq!(refusal(&with(change)), Refusal::Binding(BindingError::Claims));
    }
}

#[test]
fn expired_or_not_yet_valid() {
    let made = |from: u64, until: u64| {
        let validity = Validity {
            from: UnixTime(from),
            until: UnixTime(until),
        };
        let request = ra_tls::Request::new(validity).unwrap();
        request.certificate(quote).unwrap().certificate
    };
    for (from, until) in [
        (NOW.0 - 100, NOW.0 - 1),
        (NOW.0 + 1, NOW.0 + 100),
        (NOW.0 + 1, NOW.0 - 1),
    ] {
        assert!(matches!(refusal(&made(from, until)), Refusal::NotValid { .. }));
    }
    assert!(verifier().verify(&made(NOW.0, NOW.0), NOW).is_ok());
    // The collateral's dates count as well.
    let late = VALIDITY.until;
    let certificate = made(NOW.0, NOW.0 + 100 * 365 * 86400);
    assert!(verifier().verify(&certificate, late).is_ok());
    let years = UnixTime(NOW.0 + 50 * 365 * 86400);
    assert!(matches!(
        verifier().verify(&certificate, years),
        Err(Refusal::Untrusted(dcap_quote::Refusal::NotValid { .. }))
    ));
}

#[test]
fn another_self_signature() {
    let genuine = attested(Formats::Interoperable).certificate;
    let mut bytes = genuine.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(RaTlsCertificate::parse(&bytes), Err(CertificateError::Signature));
    // Signed by an authority.
    let authority = KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "authority");
    let issuer = rcgen::Issuer::new(parameters, authority);
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    let key = KeyPair::generate().unwrap();
    let data = report_data(&sha256(&info(&key)));
    parameters.custom_extensions = vec![extension(LEGACY, &quote(&data).unwrap())];
    let signed = parameters.signed_by(&key, &issuer).unwrap();
    assert_eq!(
        RaTlsCertificate::parse(signed.der()),
        Err(CertificateError::Issuer)
    );
    // The same by itself is fine.
    let itself = forged(&key, parameters.custom_extensions);
    assert!(verifier().verify(&itself, NOW).is_ok());
}

#[test]
fn no_quote_or_something_else_in_its_place() {
    let key = KeyPair::generate().unwrap();
    let reason = |extensions| RaTlsCertificate::parse(&forged(&key, extensions)).map(drop);
    assert_eq!(reason(vec![]), Err(CertificateError::NoEvidence));
    let other = extension(&[1, 2, 840, 113_741, 1, 13, 1], b"quote");
    assert_eq!(reason(vec![other]), Err(CertificateError::NoEvidence));
    let tagged_garbage = extension(TAGGED, &[0xff; 100]);
    assert_eq!(
        reason(vec![tagged_garbage]),
        Err(CertificateError::Evidence(EvidenceError::Tagged))
    );
    let garbage = forged(&key, vec![extension(LEGACY, &[0xff; 100])]);
    assert!(matches!(refusal(&garbage), Refusal::Quote(_)));
    let empty = forged(&key, vec![extension(LEGACY, &[])]);
    assert!(matches!(refusal(&empty), Refusal::Quote(_)));
    // The handshake says why, on both sides.
    let plain = ra_tls::Attested {
        certificate: forged(&key, vec![]),
        key: rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    };
    let (by_client, by_server, _) = handshake(
        client_config(verifier(), None).unwrap(),
        server_config(plain, None).unwrap(),
    );
    let error = by_client.unwrap_err();
    assert_eq!(
        ra_tls::refusal(&error),
        Some(&Refusal::Certificate(CertificateError::NoEvidence))
    );
    assert!(error.to_string().contains("carries no quote"), "{error}");
    let alert = rustls::AlertDescription::CertificateUnknown;
    assert_eq!(by_server, Err(rustls::Error::AlertReceived(alert)));
}

/// Two quotes must both hold, and be about the same enclave.
#[test]
fn two_quotes_that_disagree() {
    let key = KeyPair::generate().unwrap();
    let claims = claims(&info(&key));
    let good = tagged(&quote(&report_data(&sha256(&claims))).unwrap(), &claims);
    let legacy = |change: fn(&mut [u8; 384])| quote_with(&report_data(&sha256(&info(&key))), change);
    let both = |legacy: &[u8]| forged(&key, vec![extension(TAGGED, &good), extension(LEGACY, legacy)]);
    assert!(verifier().verify(&both(&legacy(|_| {})), NOW).is_ok());
    // As Gramine orders them.
    let turned = vec![extension(LEGACY, &legacy(|_| {})), extension(TAGGED, &good)];
    let turned = verifier().verify(&forged(&key, turned), NOW).unwrap().certificate;
    assert_eq!(turned.evidence()[0].format(), Format::Interoperable);
    // Accepted by the signer alone, both of these would pass one by one.
    let lenient = verifier_for(Identity::dangerous_any()).dangerous_accept_simulated();
    for change in [
        (|body: &mut [u8; 384]| body[64] ^= 1) as fn(&mut [u8; 384]),
        |body| body[128] ^= 1,
        |body| body[258] ^= 1,
    ] {
        let certificate = both(&legacy(change));
        assert_eq!(lenient.verify(&certificate, NOW), Err(Refusal::Disagreement));
    }
    // One good quote does not cover up for a bad one.
    assert!(matches!(refusal(&both(b"garbage")), Refusal::Quote(_)));
    let other = quote(&report_data(&[9; 32])).unwrap();
    assert_eq!(refusal(&both(&other)), Refusal::Binding(BindingError::ReportData));
    // Nor are there two in one format, under either name.
    let twice = forged(
        &key,
        vec![
            extension(LEGACY, &legacy(|_| {})),
            extension(LEGACY_MEANT, &other),
        ],
    );
    assert!(matches!(
        refusal(&twice),
        Refusal::Certificate(CertificateError::Profile(_))
    ));
    let same = forged(&key, vec![extension(TAGGED, &good), extension(TAGGED, &good)]);
    assert!(matches!(
        refusal(&same),
        Refusal::Certificate(CertificateError::Profile(_))
    ));
}

#[test]
fn simulated_platforms_that_nobody_named() {
    let certificate = attested(Formats::Interoperable).certificate;
    let careless = verifier_for(Identity::mr_enclave(MR_ENCLAVE));
    assert_eq!(careless.verify(&certificate, NOW), Err(Refusal::Simulated));
    // Another simulated platform is not the one that was named.
    let other = SimulatedPlatform::new(Profile::new([4; 32], NOW));
    let verifier = Verifier::new(
        FixedCollateral(Arc::new(checked(&other))),
        Identity::mr_enclave(MR_ENCLAVE),
    );
    assert!(matches!(
        verifier.dangerous_accept_simulated().verify(&certificate, NOW),
        Err(Refusal::Untrusted(_))
    ));
    // Nor is Intel's root the simulated one's.
    let collateral = PLATFORM.collateral(dcap_quote::Tee::Sgx);
    assert!(CheckedCollateral::check(&collateral, &TrustedRoot::intel()).is_err());
}

#[test]
fn debug_enclaves_and_platforms_out_of_date() {
    let debug = |body: &mut [u8; 384]| body[48] |= 0b10;
    let attested = request().certificate(|data| Ok::<_, io::Error>(quote_with(data, debug)));
    let certificate = attested.unwrap().certificate;
    assert_eq!(refusal(&certificate), Refusal::Objections(vec![Objection::Debug]));
    let willing = verifier().policy(Policy::default().dangerous_accept_debug());
    assert!(willing.verify(&certificate, NOW).is_ok());

    let mut profile = Profile::new([3; 32], NOW);
    profile.svns[0] = 3;
    let old = SimulatedPlatform::new(profile);
    let attested = request().certificate(|data| Ok::<_, io::Error>(old.quote(&report_body(data))));
    let verifier = Verifier::new(
        FixedCollateral(Arc::new(checked(&old))),
        Identity::mr_enclave(MR_ENCLAVE),
    );
    let verifier = verifier.dangerous_accept_simulated();
    let certificate = attested.unwrap().certificate;
    assert!(matches!(
        verifier.verify(&certificate, NOW),
        Err(Refusal::Objections(_))
    ));
    let verifier = verifier.policy(Policy::default().accept(dcap_quote::TcbStatus::OutOfDate));
    assert!(verifier.verify(&certificate, NOW).is_ok());
}

#[test]
fn no_collateral() {
    let none = |quote: &Quote<'_>| -> Result<Arc<CheckedCollateral>, SourceError> {
        let platform = quote.claimed_platform()?;
        Err(format!("nothing cached for FMSPC {}", platform.fmspc).into())
    };
    let verifier = Verifier::new(none, Identity::mr_enclave(MR_ENCLAVE));
    let refusal = verifier
        .verify(&attested(Formats::Legacy).certificate, NOW)
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "there is no collateral to verify the quote with: nothing cached for FMSPC 00514d554c00"
    );
}

#[test]
fn oversize() {
    let key = KeyPair::generate().unwrap();
    let large = vec![0; Evidence::MAX_SIZE + 1];
    for identifier in [TAGGED, LEGACY] {
        let certificate = forged(&key, vec![extension(identifier, &large)]);
        assert_eq!(
            RaTlsCertificate::parse(&certificate),
            Err(CertificateError::Evidence(EvidenceError::TooLarge(large.len())))
        );
    }
    let huge = forged(
        &key,
        vec![extension(LEGACY, &vec![0; RaTlsCertificate::MAX_SIZE])],
    );
    assert!(matches!(
        RaTlsCertificate::parse(&huge),
        Err(CertificateError::TooLarge(_))
    ));
}

/// Every bit of a certificate, whatever it stands for.
#[test]
fn every_flipped_bit_and_truncation() {
    let genuine = attested(Formats::Interoperable).certificate;
    assert!(verifier().verify(&genuine, NOW).is_ok());
    for place in 0..genuine.len() {
        for bit in 0..8 {
            let mut bytes = genuine.to_vec();
            bytes[place] ^= 1 << bit;
            let changed = CertificateDer::from(bytes);
            assert!(
                verifier().verify(&changed, NOW).is_err(),
                "bit {bit} of byte {place}"
            );
        }
        assert!(verifier().verify(&genuine[..place], NOW).is_err(), "{place}");
    }
    let longer = [&genuine[..], &[0]].concat();
    assert!(verifier().verify(&longer, NOW).is_err());
}

/// The attacker signs the certificate anew after each change: then the quote must notice.
#[test]
fn every_flipped_bit_of_the_evidence_signed_anew() {
    let key = KeyPair::generate().unwrap();
    let claims = claims(&info(&key));
    let good = tagged(&quote(&report_data(&sha256(&claims))).unwrap(), &claims);
    assert!(
        verifier()
            .verify(&forged(&key, vec![extension(TAGGED, &good)]), NOW)
            .is_ok()
    );
    // The quote alone takes thousands of bytes, which `dcap-quote` flips one by one; here the ends and every seventh.
    let places = (0..600)
        .chain((600..good.len() - 80).step_by(7))
        .chain(good.len() - 80..good.len());
    for place in places {
        let mut changed = good.clone();
        changed[place] ^= 1 << (place % 8);
        let certificate = forged(&key, vec![extension(TAGGED, &changed)]);
        assert!(verifier().verify(&certificate, NOW).is_err(), "byte {place}");
    }
}
