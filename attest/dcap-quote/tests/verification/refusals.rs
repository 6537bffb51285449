//! Tests of refusals: quotes and collateral that prove nothing, each for one reason.

use crate::support::{NOW, checked, enclave, profile, root, verify_on};
use dcap_quote::{
    Bytes, CertificateError, Chain, CheckedCollateral, Collateral, CollateralError, Document, Item, List,
    Quote, QuoteError, Refusal, Tee, UnixTime, Validity, verify,
};
use simulated_platform::{Authority, Certificate, Dates, Fault, Profile, SimulatedPlatform};

/// Selects a member of the collateral.
type Piece = fn(&mut Collateral) -> &mut String;

fn refusal(profile: Profile) -> Refusal {
    verify_on(profile, 3, &enclave(), NOW).unwrap_err()
}

/// With a change to the collateral after it was made.
fn refusal_of(change: impl FnOnce(&SimulatedPlatform, &mut Collateral)) -> Refusal {
    let platform = SimulatedPlatform::new(profile());
    let mut collateral = platform.collateral(Tee::Sgx);
    change(&platform, &mut collateral);
    CheckedCollateral::check(&collateral, &root(&platform)).unwrap_err()
}

/// With a change to the text of the TCB info, signed as it must be.
fn refusal_of_tcb_info(change: impl FnOnce(String) -> String) -> String {
    let refusal = refusal_of(|platform, collateral| {
        let changed = change(collateral.tcb_info.clone());
        assert_ne!(changed, collateral.tcb_info, "the test changes nothing");
        collateral.tcb_info_signature = platform.sign_document(&changed);
        collateral.tcb_info = changed;
    });
    let Refusal::Document {
        document: Document::TcbInfo,
        error,
    } = refusal
    else {
        panic!("{refusal}")
    };
    error.to_string()
}

#[test]
fn certificates_that_do_not_fit_their_role() {
    use Fault::*;
    for (fault, chain, number) in [
        (AuthorityIsEndEntity, Chain::PckRevocationListIssuer, 1),
        (AuthorityHasPathLength1, Chain::PckRevocationListIssuer, 1),
        (TcbSignerIsCalledOtherwise, Chain::TcbInfoIssuer, 1),
        (PckIsAuthority, Chain::Pck, 1),
        (PckWithoutSgxExtension, Chain::Pck, 1),
        (PckIsCalledOtherwise, Chain::Pck, 1),
        (PckHasUnknownCriticalExtension, Chain::Pck, 1),
        (PckHasExtensionTwice, Chain::Pck, 1),
    ] {
        let refusal = refusal(Profile {
            fault: Some(fault),
            ..profile()
        });
        let Refusal::Certificate {
            chain: found,
            number: place,
            error,
        } = &refusal
        else {
            panic!("{fault:?}: {refusal}")
        };
        assert_eq!((*found, *place), (chain, number), "{fault:?}");
        assert!(
            matches!(
                error,
                CertificateError::Profile(_) | CertificateError::Subject { .. }
            ),
            "{refusal}"
        );
    }
}

#[test]
fn quoting_enclaves_that_are_not_the_vendors() {
    for (fault, what) in [
        (Fault::QeHasAnotherSigner, "MRSIGNER"),
        (Fault::QeIsAnotherProduct, "ISVPRODID"),
        (Fault::QeIsDebug, "ATTRIBUTES"),
    ] {
        let refusal = refusal(Profile {
            fault: Some(fault),
            ..profile()
        });
        assert!(matches!(refusal, Refusal::QuotingEnclave(_)), "{refusal}");
        assert!(refusal.to_string().contains(what), "{refusal}");
    }
    let fault = Some(Fault::QeVouchesForAnotherKey);
    assert_eq!(refusal(Profile { fault, ..profile() }), Refusal::AttestationKey);
}

#[test]
fn revoked_certificates() {
    for (certificate, chain, number) in [
        (Certificate::Root, Chain::PckRevocationListIssuer, 2),
        (Certificate::Authority, Chain::PckRevocationListIssuer, 1),
        (Certificate::TcbSigner, Chain::TcbInfoIssuer, 1),
        (Certificate::Pck, Chain::Pck, 1),
    ] {
        let refusal = refusal(Profile {
            revoked: vec![certificate],
            ..profile()
        });
        assert_eq!(
            refusal,
            Refusal::Certificate {
                chain,
                number,
                error: CertificateError::Revoked
            }
        );
    }
}

#[test]
fn a_revocation_list_of_a_part_of_the_certificates() {
    let refusal = refusal(Profile {
        fault: Some(Fault::PckListIsPartial),
        ..profile()
    });
    assert!(
        matches!(refusal, Refusal::RevocationList { list: List::Pck, .. }),
        "{refusal}"
    );
}

#[test]
fn before_and_after_each_window() {
    type Window = fn(&mut Dates) -> &mut Validity;
    let windows: [(Item, Window); 8] = [
        (Item::RootCertificate, |dates| &mut dates.root),
        (Item::PckAuthorityCertificate, |dates| &mut dates.authority),
        (Item::PckCertificate, |dates| &mut dates.pck),
        (Item::TcbInfoSignerCertificate, |dates| &mut dates.tcb_signer),
        (Item::RootRevocationList, |dates| &mut dates.root_list),
        (Item::PckRevocationList, |dates| &mut dates.pck_list),
        (Item::TcbInfo, |dates| &mut dates.tcb_info),
        (Item::QeIdentity, |dates| &mut dates.qe_identity),
    ];
    let (before, after) = (UnixTime(NOW.0 - 1), UnixTime(NOW.0 + 1));
    for (item, window) in windows {
        for (from, until, fits) in [
            (NOW, NOW, true),
            (after, UnixTime(NOW.0 + 9), false),
            (UnixTime(9), before, false),
        ] {
            let mut profile = profile();
            *window(&mut profile.dates) = Validity { from, until };
            match verify_on(profile, 3, &enclave(), NOW) {
                Ok(_) => assert!(fits, "{item} outside of its window"),
                Err(Refusal::NotValid { dated, at }) => {
                    assert!(!fits && dated.what == item && at == NOW, "{dated:?}, not {item}");
                    assert_eq!(dated.validity, Validity { from, until });
                }
                Err(other) => panic!("{item}: {other}"),
            }
        }
    }
}

#[test]
fn the_same_quote_is_refused_once_its_collateral_has_expired() {
    let platform = SimulatedPlatform::new(profile());
    let checked = checked(&platform, Tee::Sgx).unwrap();
    let quote = platform.quote_as(3, &enclave(), dcap_quote::SIMULATED_QE_VENDOR);
    let quote = Quote::parse(&quote).unwrap();
    let until = checked.validity().until;
    verify(&quote, &checked, until).unwrap();
    let refused = verify(&quote, &checked, UnixTime(until.0 + 1)).unwrap_err();
    assert!(matches!(refused, Refusal::NotValid { .. }), "{refused}");
    verify(&quote, &checked, NOW).unwrap();
}

#[test]
fn chains_in_another_order_or_of_another_length() {
    fn blocks(chain: &str) -> Vec<String> {
        chain
            .split_inclusive("-----END CERTIFICATE-----\n")
            .map(str::to_owned)
            .collect()
    }
    let chains: [(Chain, Piece); 3] = [
        (Chain::PckRevocationListIssuer, |collateral| {
            &mut collateral.pck_crl_issuer_chain
        }),
        (Chain::TcbInfoIssuer, |collateral| {
            &mut collateral.tcb_info_issuer_chain
        }),
        (Chain::QeIdentityIssuer, |collateral| {
            &mut collateral.qe_identity_issuer_chain
        }),
    ];
    for (chain, select) in chains {
        let with = |order: &[usize]| {
            refusal_of(|_, collateral| {
                let text = select(collateral);
                let blocks = blocks(text);
                *text = order.iter().map(|index| blocks[*index].as_str()).collect();
            })
        };
        assert!(matches!(with(&[1, 0]), Refusal::Certificate { chain: found, .. } if found == chain));
        assert_eq!(
            with(&[0]),
            Refusal::ChainLength {
                chain,
                found: 1,
                expected: 2
            }
        );
        assert_eq!(
            with(&[0, 1, 1]),
            Refusal::ChainLength {
                chain,
                found: 3,
                expected: 2
            }
        );
        assert!(matches!(with(&[]), Refusal::Pem { chain: found, .. } if found == chain));
        assert!(matches!(with(&[1, 1]), Refusal::Certificate { chain: found, .. } if found == chain));
    }
}

#[test]
fn collateral_with_a_piece_of_another() {
    let other = SimulatedPlatform::new(Profile {
        seed: [9; 32],
        ..profile()
    })
    .collateral(Tee::Sgx);
    let same_keys = SimulatedPlatform::new(profile()).collateral(Tee::Tdx);
    let swaps: [fn(&mut Collateral, &Collateral); 9] = [
        |to, from| to.pck_crl_issuer_chain.clone_from(&from.pck_crl_issuer_chain),
        |to, from| to.root_ca_crl.clone_from(&from.root_ca_crl),
        |to, from| to.pck_crl.clone_from(&from.pck_crl),
        |to, from| to.tcb_info_issuer_chain.clone_from(&from.tcb_info_issuer_chain),
        |to, from| to.tcb_info.clone_from(&from.tcb_info),
        |to, from| to.tcb_info_signature.clone_from(&from.tcb_info_signature),
        |to, from| {
            to.qe_identity_issuer_chain
                .clone_from(&from.qe_identity_issuer_chain)
        },
        |to, from| to.qe_identity.clone_from(&from.qe_identity),
        |to, from| to.qe_identity_signature.clone_from(&from.qe_identity_signature),
    ];
    for swap in swaps {
        refusal_of(|_, collateral| {
            let before = collateral.clone();
            swap(collateral, &other);
            if *collateral == before {
                // The documents say nothing about the keys; theirs are of the same platform, but for TDX.
                swap(collateral, &same_keys);
            }
            assert_ne!(*collateral, before);
        });
    }
    let mixed = refusal_of(|_, collateral| {
        collateral.qe_identity.clone_from(&same_keys.qe_identity);
        collateral
            .qe_identity_signature
            .clone_from(&same_keys.qe_identity_signature);
    });
    assert_eq!(
        mixed,
        Refusal::MixedCollateral {
            tcb_info: Tee::Sgx,
            qe_identity: Tee::Tdx
        }
    );
    // The lists of root and authority in each other's place, and documents too.
    refusal_of(|_, collateral| std::mem::swap(&mut collateral.root_ca_crl, &mut collateral.pck_crl));
    let swapped = refusal_of(|_, collateral| {
        std::mem::swap(&mut collateral.tcb_info, &mut collateral.qe_identity);
        std::mem::swap(
            &mut collateral.tcb_info_signature,
            &mut collateral.qe_identity_signature,
        );
    });
    assert!(
        matches!(
            swapped,
            Refusal::Document {
                document: Document::TcbInfo,
                ..
            }
        ),
        "{swapped}"
    );
}

#[test]
fn collateral_of_another_platform() {
    let platform = SimulatedPlatform::new(profile());
    let quote = platform.quote_as(3, &enclave(), dcap_quote::SIMULATED_QE_VENDOR);
    let quote = Quote::parse(&quote).unwrap();
    for other in [
        Profile {
            fmspc: [1; 6],
            ..profile()
        },
        Profile {
            pce_id: [1; 2],
            ..profile()
        },
    ] {
        let checked = checked(&SimulatedPlatform::new(other), Tee::Sgx).unwrap();
        let refused = verify(&quote, &checked, NOW).unwrap_err();
        assert!(matches!(refused, Refusal::WrongPlatform { .. }), "{refused}");
    }
    assert_eq!(quote.claimed_platform().unwrap().fmspc, Bytes(profile().fmspc));
    let tdx = checked(&platform, Tee::Tdx).unwrap();
    assert_eq!(
        verify(&quote, &tdx, NOW).unwrap_err(),
        Refusal::WrongTee {
            quote: Tee::Sgx,
            collateral: Tee::Tdx
        }
    );
}

#[test]
fn collateral_of_the_other_authority() {
    let [one, other] = [Authority::Processor, Authority::Platform];
    verify_on(
        Profile {
            authority: one,
            ..profile()
        },
        3,
        &enclave(),
        NOW,
    )
    .unwrap();
    let quote = SimulatedPlatform::new(Profile {
        authority: one,
        ..profile()
    })
    .quote(&[0; 384]);
    let checked = checked(
        &SimulatedPlatform::new(Profile {
            authority: other,
            ..profile()
        }),
        Tee::Sgx,
    )
    .unwrap();
    let refused = verify(&Quote::parse(&quote).unwrap(), &checked, NOW).unwrap_err();
    let error = CertificateError::OtherAuthority;
    assert_eq!(
        refused,
        Refusal::Certificate {
            chain: Chain::Pck,
            number: 2,
            error
        }
    );
}

#[test]
fn documents_that_are_signed_and_not_understood() {
    let duplicate = |json: String| json.replacen(r#""fmspc""#, r#""fmspc":"000000000000","fmspc""#, 1);
    assert!(refusal_of_tcb_info(duplicate).contains("duplicate"));
    // Members that are read through another structure, too.
    let duplicate = |json: String| {
        json.replacen(
            r#""issueDate""#,
            r#""issueDate":"2025-06-24T00:00:00Z","issueDate""#,
            1,
        )
    };
    assert!(refusal_of_tcb_info(duplicate).contains("duplicate"));
    let duplicate =
        |json: String| json.replacen(r#""tcbStatus""#, r#""tcbStatus":"UpToDate","tcbStatus""#, 1);
    assert!(refusal_of_tcb_info(duplicate).contains("duplicate"));
    let duplicate = |json: String| json.replacen(r#""svn""#, r#""svn":0,"svn""#, 1);
    assert!(refusal_of_tcb_info(duplicate).contains("duplicate"));

    let deep = |json: String| {
        json.replacen(
            '{',
            &format!(r#"{{"new":{}{},"#, "[".repeat(100_000), "]".repeat(100_000)),
            1,
        )
    };
    assert!(refusal_of_tcb_info(deep).contains("recursion"));
    for (from, to) in [
        (r#""version":3"#, r#""version":2"#),
        (r#""version":3"#, r#""version":"3""#),
        (r#""id":"SGX""#, r#""id":"sgx""#),
        (r#""id":"SGX""#, r#""id":"TDX""#),
        (r#""tcbType":0"#, r#""tcbType":1"#),
        (r#""pcesvn":13"#, r#""pcesvn":65536"#),
        (r#""pcesvn":13"#, r#""pcesvn":-1"#),
        (r#"{"svn":4}"#, r#"{"svn":256}"#),
        (r#"{"svn":4},"#, ""),
        (r#"{"svn":4}"#, r#"{"svn":4},{"svn":4}"#),
        ("UpToDate", "Fine"),
        ("UpToDate", "TDRelaunchAdvised"),
        ("2025-06-24T00:00:00Z", "2025-06-24"),
        ("00514D554C00", "00514D554C"),
        ("00514D554C00", "00514D554Cxx"),
    ] {
        refusal_of_tcb_info(|json| json.replacen(from, to, 1));
    }
    refusal_of_tcb_info(|json| json + " {}");
    refusal_of_tcb_info(|json| json[..json.len() - 1].to_owned());
    // What Intel may add is no reason.
    let platform = SimulatedPlatform::new(profile());
    let mut collateral = platform.collateral(Tee::Sgx);
    collateral.tcb_info = collateral.tcb_info.replacen('{', r#"{"new":[{"a":1}],"#, 1);
    collateral.tcb_info_signature = platform.sign_document(&collateral.tcb_info);
    CheckedCollateral::check(&collateral, &root(&platform)).unwrap();
}

#[test]
fn collateral_files_that_are_none() {
    let good = serde_json::to_string(&SimulatedPlatform::new(profile()).collateral(Tee::Sgx)).unwrap();
    assert!(Collateral::from_json(good.as_bytes()).is_ok());
    let padded = good.clone() + &" ".repeat(Collateral::MAX_SIZE);
    assert_eq!(
        Collateral::from_json(padded.as_bytes()),
        Err(CollateralError::TooLarge(padded.len()))
    );
    let deep = format!(r#"{{"tcb_info":{}"#, "[".repeat(1_000_000));
    for bad in [
        good.replacen('{', r#"{"tcb_info":"x","#, 1),
        good.replacen('{', r#"{"new":"x","#, 1),
        good.replacen(r#""pck_crl":"#, r#""pck_crl_":"#, 1),
        good.clone() + "x",
        "[".repeat(1_000_000),
        deep,
        String::new(),
    ] {
        assert!(matches!(
            Collateral::from_json(bad.as_bytes()),
            Err(CollateralError::Json(_))
        ));
    }
}

#[test]
fn revocation_lists_may_be_pem() {
    use base64::Engine as _;
    let platform = SimulatedPlatform::new(profile());
    let mut collateral = platform.collateral(Tee::Sgx);
    let der = base16ct::lower::decode_vec(&collateral.pck_crl).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    collateral.pck_crl = format!(
        "-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n",
        lines.join("\n")
    );
    CheckedCollateral::check(&collateral, &root(&platform)).unwrap();
    collateral.pck_crl = collateral.pck_crl.repeat(2);
    let refused = CheckedCollateral::check(&collateral, &root(&platform)).unwrap_err();
    assert_eq!(refused, Refusal::RevocationListText(List::Pck));
}

#[test]
fn bytes_that_follow_a_quote() {
    let platform = SimulatedPlatform::new(profile());
    let mut quote = platform.quote_as(3, &enclave(), dcap_quote::SIMULATED_QE_VENDOR);
    quote.extend([0, 0]);
    let trailing = QuoteError::TrailingBytes {
        after: "signature data",
        count: 2,
    };
    assert_eq!(Quote::parse(&quote).unwrap_err(), trailing);
    verify(
        &Quote::parse_zero_padded(&quote).unwrap(),
        &checked(&platform, Tee::Sgx).unwrap(),
        NOW,
    )
    .unwrap();
    quote.push(1);
    assert!(Quote::parse_zero_padded(&quote).is_err());
}
