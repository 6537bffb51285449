//! Tests of statuses that must not pass for better ones.

use dcap_quote::{Document, Refusal, TcbStatus, Tee};
use simulated_platform::SimulatedPlatform;

use crate::support::{NOW, checked, domain_1_5, profile, verify_on};

/// Intel's library refuses them, too; until 2025 it took them for up to date.
#[test]
fn a_quoting_enclave_or_module_with_a_status_about_a_configuration_is_refused() {
    for status in TcbStatus::ALL {
        let is_known = [TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked].contains(&status);
        let mut qe = profile();
        qe.qe_levels[0].status = status;
        let mut module = profile();
        module.module_levels[0].status = status;
        let of_qe = checked(&SimulatedPlatform::new(qe), Tee::Sgx);
        let of_module = checked(&SimulatedPlatform::new(module), Tee::Tdx);
        for (checked, document) in [(of_qe, Document::QeIdentity), (of_module, Document::TcbInfo)] {
            match checked {
                Ok(_) => assert!(is_known, "{document}: {status}"),
                Err(Refusal::Document { document: found, .. }) => {
                    assert!(!is_known && found == document, "{document}: {status}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_domain_on_a_platform_that_is_older_now_is_out_of_date() {
    let tee_tcb_svn = |module| [module, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let body = domain_1_5(tee_tcb_svn(5), tee_tcb_svn(4));
    let verdict = verify_on(profile(), 5, &body, NOW).unwrap();
    assert_eq!(verdict.platform_tcb.status, TcbStatus::UpToDate);
    assert_eq!(verdict.status, TcbStatus::OutOfDate);
    assert_eq!(verdict.advisories, ["SIMULATED-SA-00003"]);
}
