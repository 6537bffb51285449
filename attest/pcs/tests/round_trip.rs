//! Tests that collateral survives the way through requests and responses.

use dcap_quote::{CheckedCollateral, Collateral, Document, Tee, TrustedRoot, UnixTime};
use pcs::{Encoding, Parts, Response};
use simulated_platform::{Profile, SimulatedPlatform};

fn through_a_service(collateral: &Collateral, encoding: Encoding) -> Collateral {
    let parts = Parts::from(collateral.clone());
    let pck_crl = Response::with_pck_crl(&parts.pck_crl, encoding).unwrap();
    let root_ca_crl = Response::with_root_ca_crl(&parts.root_ca_crl).unwrap();
    let tcb_info = Response::with_document(Document::TcbInfo, &parts.tcb_info);
    let qe_identity = Response::with_document(Document::QeIdentity, &parts.qe_identity);
    let received = Parts {
        pck_crl: pck_crl.pck_crl().unwrap(),
        root_ca_crl: root_ca_crl.root_ca_crl().unwrap(),
        tcb_info: tcb_info.document(Document::TcbInfo).unwrap(),
        qe_identity: qe_identity.document(Document::QeIdentity).unwrap(),
    };
    received.into()
}

#[test]
fn simulated() {
    let platform = SimulatedPlatform::new(Profile::new([7; 32], UnixTime(1_750_723_200)));
    let root = TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap();
    for tee in [Tee::Sgx, Tee::Tdx] {
        for encoding in [Encoding::Pem, Encoding::Der] {
            let collateral = platform.collateral(tee);
            let received = through_a_service(&collateral, encoding);
            assert_eq!(received, collateral);
            CheckedCollateral::check(&received, &root).unwrap();
        }
    }
}

#[test]
fn genuine() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    for name in ["sgx_quote", "tdx_quote", "tdx_quote_outdated"] {
        let Ok(file) = std::fs::read(folder.join(format!("{name}_collateral.json"))) else {
            eprintln!("SKIPPED: no genuine collateral in {}", folder.display());
            return;
        };
        let collateral = Collateral::from_json(&file).unwrap();
        let received = through_a_service(&collateral, Encoding::Der);
        CheckedCollateral::check(&received, &TrustedRoot::intel()).unwrap();
        assert_eq!(received.tcb_info, collateral.tcb_info);
        assert_eq!(received.pck_crl_issuer_chain, collateral.pck_crl_issuer_chain);
    }
}
