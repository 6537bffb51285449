//! Tests of single pieces of collateral.

use dcap_quote::{
    About, Bytes, Collateral, Document, Item, PckCa, Piece, Refusal, Tee, TrustedRoot, UnixTime,
};
use simulated_platform::{Authority, Certificate, Profile, SimulatedPlatform};

use crate::support::{NOW, profile, root};

fn pieces(collateral: &Collateral) -> [Piece<'_>; 4] {
    [
        Piece::RootRevocationList {
            certificate: collateral.root_certificate().unwrap(),
        },
        Piece::PckRevocationList {
            issuer_chain: &collateral.pck_crl_issuer_chain,
            list: &collateral.pck_crl,
        },
        Piece::Document {
            document: Document::TcbInfo,
            issuer_chain: &collateral.tcb_info_issuer_chain,
            json: &collateral.tcb_info,
            signature: &collateral.tcb_info_signature,
        },
        Piece::Document {
            document: Document::QeIdentity,
            issuer_chain: &collateral.qe_identity_issuer_chain,
            json: &collateral.qe_identity,
            signature: &collateral.qe_identity_signature,
        },
    ]
}

#[test]
fn each_says_what_it_is() {
    for (authority, ca) in [
        (Authority::Processor, PckCa::Processor),
        (Authority::Platform, PckCa::Platform),
    ] {
        let platform = SimulatedPlatform::new(Profile {
            authority,
            ..profile()
        });
        let collateral = platform.collateral(Tee::Tdx);
        let checked =
            pieces(&collateral).map(|piece| piece.check(&collateral.root_ca_crl, &root(&platform)).unwrap());
        let abouts = checked.each_ref().map(|piece| piece.about);
        let expected = [
            About::Root,
            About::PckCa(ca),
            About::TcbInfo {
                tee: Tee::Tdx,
                fmspc: Bytes(profile().fmspc),
                evaluation_data_number: 17,
            },
            About::QeIdentity {
                tee: Tee::Tdx,
                evaluation_data_number: 17,
            },
        ];
        assert_eq!(abouts, expected);
        let own = checked.each_ref().map(|piece| piece.own.what);
        assert_eq!(
            own,
            [
                Item::RootRevocationList,
                Item::PckRevocationList,
                Item::TcbInfo,
                Item::QeIdentity
            ]
        );
        for piece in checked {
            assert_eq!(piece.own.validity.from, NOW);
            piece.check_dates(NOW).unwrap();
            let late = piece.check_dates(UnixTime(NOW.0 + 40 * 86400));
            assert!(matches!(late, Err(Refusal::NotValid { .. })), "{late:?}");
        }
    }
}

#[test]
fn none_is_accepted_below_another_root_or_from_a_revoked_signer() {
    let platform = SimulatedPlatform::new(profile());
    let collateral = platform.collateral(Tee::Sgx);
    for piece in pieces(&collateral) {
        piece
            .check(&collateral.root_ca_crl, &TrustedRoot::intel())
            .unwrap_err();
    }
    let revoking = SimulatedPlatform::new(Profile {
        revoked: vec![Certificate::TcbSigner, Certificate::Authority],
        ..profile()
    });
    let [_, others @ ..] = pieces(&collateral);
    for piece in others {
        piece
            .check(&revoking.collateral(Tee::Sgx).root_ca_crl, &root(&revoking))
            .unwrap_err();
    }
}

#[test]
fn a_document_is_not_taken_for_the_other_kind() {
    let platform = SimulatedPlatform::new(profile());
    let collateral = platform.collateral(Tee::Sgx);
    let swapped = Piece::Document {
        document: Document::TcbInfo,
        issuer_chain: &collateral.qe_identity_issuer_chain,
        json: &collateral.qe_identity,
        signature: &collateral.qe_identity_signature,
    };
    let refused = swapped.check(&collateral.root_ca_crl, &root(&platform));
    assert!(matches!(refused, Err(Refusal::Document { .. })), "{refused:?}");
}

/// Every bit of each field, but the highest of a byte, which would make it something else than text.
fn flip_every_bit(fields: &[&str], is_accepted: impl Fn(&[String]) -> bool) {
    let mut fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    assert!(is_accepted(&fields), "the untampered piece is accepted");
    for number in 0..fields.len() {
        let original = fields[number].clone();
        for index in 0..original.len() {
            for bit in 0..7 {
                let mut bytes = original.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                fields[number] = String::from_utf8(bytes).unwrap();
                assert!(
                    !is_accepted(&fields),
                    "field {number} accepted after a flip of bit {bit} in byte {index}"
                );
            }
        }
        fields[number] = original;
    }
}

#[test]
fn every_bit_of_the_revocation_lists_and_their_issuers() {
    let platform = SimulatedPlatform::new(profile());
    let (collateral, root) = (platform.collateral(Tee::Sgx), root(&platform));
    let certificate = collateral.root_certificate().unwrap();
    flip_every_bit(&[certificate, &collateral.root_ca_crl], |fields| {
        let [certificate, list] = fields else {
            unreachable!()
        };
        Piece::RootRevocationList { certificate }
            .check(list, &root)
            .is_ok()
    });
    flip_every_bit(
        &[&collateral.pck_crl_issuer_chain, &collateral.pck_crl],
        |fields| {
            let [issuer_chain, list] = fields else {
                unreachable!()
            };
            let piece = Piece::PckRevocationList { issuer_chain, list };
            piece.check(&collateral.root_ca_crl, &root).is_ok()
        },
    );
}

fn every_bit_of(document: Document, fields: impl Fn(&Collateral) -> [&str; 3]) {
    let platform = SimulatedPlatform::new(profile());
    let (collateral, root) = (platform.collateral(Tee::Sgx), root(&platform));
    flip_every_bit(&fields(&collateral), |fields| {
        let [issuer_chain, json, signature] = fields else {
            unreachable!()
        };
        let piece = Piece::Document {
            document,
            issuer_chain,
            json,
            signature,
        };
        piece.check(&collateral.root_ca_crl, &root).is_ok()
    });
}

#[test]
fn every_bit_of_tcb_info_and_its_signer() {
    every_bit_of(Document::TcbInfo, |collateral| {
        [
            &collateral.tcb_info_issuer_chain,
            &collateral.tcb_info,
            &collateral.tcb_info_signature,
        ]
    });
}

#[test]
fn every_bit_of_qe_identity_and_its_signer() {
    every_bit_of(Document::QeIdentity, |collateral| {
        [
            &collateral.qe_identity_issuer_chain,
            &collateral.qe_identity,
            &collateral.qe_identity_signature,
        ]
    });
}

#[test]
fn identities_that_are_signed_and_not_understood() {
    let platform = SimulatedPlatform::new(profile());
    let collateral = platform.collateral(Tee::Sgx);
    let check = |json: &str| {
        let signature = platform.sign_document(json);
        let piece = Piece::Document {
            document: Document::QeIdentity,
            issuer_chain: &collateral.qe_identity_issuer_chain,
            json,
            signature: &signature,
        };
        piece.check(&collateral.root_ca_crl, &root(&platform))
    };
    let good = collateral.qe_identity.as_str();
    check(good).unwrap();
    let deep = format!(r#"{{"new":{}{},"#, "[".repeat(100_000), "]".repeat(100_000));
    for (from, to) in [
        ("{", deep.as_str()),
        (
            r#""issueDate""#,
            r#""issueDate":"2025-06-24T00:00:00Z","issueDate""#,
        ),
        (r#""mrsigner""#, r#""mrsigner":"00","mrsigner""#),
        (r#""isvsvn""#, r#""isvsvn":0,"isvsvn""#),
        (r#""id":"QE""#, r#""id":"QVE""#),
        (r#""version":2"#, r#""version":3"#),
        ("UpToDate", "SWHardeningNeeded"),
        (r#""isvprodid":1"#, r#""isvprodid":65537"#),
        (r#""miscselect":"00000000""#, r#""miscselect":"000000""#),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        let refused = check(&changed);
        assert!(
            matches!(refused, Err(Refusal::Document { .. })),
            "{from:.20}: {refused:?}"
        );
    }
}
