//! Pieces of collateral by themselves.

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
