//! Tests of handshakes that succeed, and of what they prove.

use std::io::{Read as _, Write as _};

use dcap_quote::{Report, Trust};
use ra_tls::{Format, Formats, Identity, Mismatch, RaTlsCertificate, Refusal, client_config, server_config};

use crate::support::{
    MR_ENCLAVE, MR_SIGNER, NOW, attested, handshake, quote, request, verifier, verifier_for,
};

#[test]
fn the_server_proves_what_it_is_in_each_format() {
    for (formats, expected) in [
        (Formats::Interoperable, &[Format::Interoperable][..]),
        (Formats::Legacy, &[Format::Legacy]),
        (Formats::Both, &[Format::Interoperable, Format::Legacy]),
    ] {
        let client = client_config(verifier(), None).unwrap();
        let server = server_config(attested(formats), None).unwrap();
        let (by_client, by_server, (mut client, mut server)) = handshake(client, server);
        assert_eq!((by_client, by_server), (Ok(()), Ok(())), "{formats:?}");
        assert!(!client.is_handshaking() && !server.is_handshaking());
        let certificates = client.peer_certificates().unwrap();
        let proof = verifier().verify(&certificates[0], NOW).unwrap();
        let found: Vec<Format> = proof
            .certificate
            .evidence()
            .iter()
            .map(|one| one.format())
            .collect();
        assert_eq!(found, expected);
        assert_eq!(proof.verdict.trust, Trust::Simulated);
        let Report::Sgx(report) = &proof.verdict.report else {
            panic!("an enclave")
        };
        assert_eq!(report.mr_enclave.0, MR_ENCLAVE);
        // And what is said reaches the other side.
        client.writer().write_all(b"hello").unwrap();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        let mut heard = [0; 5];
        server.reader().read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }
}

#[test]
fn both_sides_prove_what_they_are() {
    let client = || client_config(verifier(), Some(attested(Formats::Both))).unwrap();
    let server = |clients| server_config(attested(Formats::Interoperable), Some(clients)).unwrap();
    let (by_client, by_server, (_, connection)) = handshake(client(), server(verifier()));
    assert_eq!((by_client, by_server), (Ok(()), Ok(())));
    assert!(connection.peer_certificates().is_some());
    // A server that expects somebody else, and one that expects anybody with a quote while the client has none.
    let other = verifier_for(Identity::mr_enclave([1; 32])).dangerous_accept_simulated();
    let (by_client, by_server, _) = handshake(client(), server(other));
    let error = by_server.unwrap_err();
    assert!(matches!(
        ra_tls::refusal(&error),
        Some(Refusal::Identity(Mismatch::MrEnclave(_)))
    ));
    assert!(error.to_string().contains("MRENCLAVE is 5a5a"), "{error}");
    assert!(
        matches!(by_client, Err(rustls::Error::AlertReceived(_))),
        "{by_client:?}"
    );
    let anonymous = client_config(verifier(), None).unwrap();
    let (_, by_server, _) = handshake(anonymous, server(verifier()));
    assert_eq!(by_server, Err(rustls::Error::NoCertificatesPresented));
}

#[test]
fn identities() {
    let certificate = attested(Formats::Both).certificate;
    let verify = |identity| {
        verifier_for(identity)
            .dangerous_accept_simulated()
            .verify(&certificate, NOW)
            .map(drop)
    };
    for good in [
        Identity::any_mr_enclave_of(vec![[1; 32], MR_ENCLAVE]),
        Identity::mr_signer(MR_SIGNER, 3, 7),
        Identity::mr_signer(MR_SIGNER, 3, 0),
        Identity::dangerous_any(),
    ] {
        assert_eq!(verify(good.clone()), Ok(()), "{good}");
    }
    let report = verifier().verify(&certificate, NOW).unwrap().verdict.report;
    let Report::Sgx(report) = report else {
        panic!("an enclave")
    };
    for (bad, mismatch) in [
        (
            Identity::mr_enclave([1; 32]),
            Mismatch::MrEnclave(report.mr_enclave),
        ),
        (
            Identity::any_mr_enclave_of(vec![]),
            Mismatch::MrEnclave(report.mr_enclave),
        ),
        (
            Identity::mr_signer([1; 32], 3, 7),
            Mismatch::MrSigner(report.mr_signer),
        ),
        (
            Identity::mr_signer(MR_SIGNER, 4, 7),
            Mismatch::ProductId {
                expected: 4,
                found: 3,
            },
        ),
        (
            Identity::mr_signer(MR_SIGNER, 3, 8),
            Mismatch::Svn { least: 8, found: 7 },
        ),
    ] {
        assert_eq!(verify(bad), Err(Refusal::Identity(mismatch)));
    }
}

/// A resumed session would be as good as the verification of long ago.
#[test]
fn sessions_are_not_resumed() {
    let client = client_config(verifier(), Some(attested(Formats::Legacy))).unwrap();
    let server = server_config(attested(Formats::Interoperable), Some(verifier())).unwrap();
    for _ in 0..3 {
        let (by_client, by_server, (client, server)) = handshake(client.clone(), server.clone());
        assert_eq!((by_client, by_server), (Ok(()), Ok(())));
        assert_eq!(client.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(server.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(client.tls13_tickets_received(), 0);
    }
}

#[test]
fn a_nonce_is_vouched_for() {
    let attested = request().nonce(*b"fresh").certificate(quote).unwrap();
    let proof = verifier().verify(&attested.certificate, NOW).unwrap();
    let claims = proof.certificate.evidence()[0].claims().unwrap();
    assert_eq!(claims.nonce.as_deref(), Some(&b"fresh"[..]));
}

#[test]
fn what_cannot_be_made_is_said() {
    let error = request().certificate(|_| Err("no enclave here")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no quote for the certificate's key: no enclave here"
    );
    let error = request().names(["\u{e9}"]).certificate(quote).unwrap_err();
    assert!(
        error.to_string().starts_with("the certificate cannot be made"),
        "{error}"
    );
    let attested = attested(Formats::Interoperable);
    assert!(!format!("{attested:?}").contains("key"), "{attested:?}");
    assert_eq!(
        RaTlsCertificate::parse(&attested.certificate).unwrap().key_kind(),
        "P-256"
    );
}
