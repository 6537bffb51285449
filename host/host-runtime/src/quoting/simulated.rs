//! The simulated platform's quoting enclave. It checks reports as a real one does, and then signs with keys that anyone
//! has who can read the platform's seed.

use std::sync::OnceLock;

use host_abi::{Quote, QuoteTarget};
use sgx_arch::{Report, TargetInfo};
use sgx_platform::emulator::SimulatedProcessor;
use simulated_platform::SimulatedPlatform;

use super::{QuoteError, QuotingEnclave};
use crate::seed::Seed;

/// The quoting enclave of the platform with a seed.
pub(crate) struct SimulatedQuoting {
    seed: Seed,
    processor: SimulatedProcessor,
    /// Made when a quote is asked for.
    platform: OnceLock<SimulatedPlatform>,
}

impl SimulatedQuoting {
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            processor: seed.processor(),
            seed,
            platform: OnceLock::new(),
        }
    }

    fn platform(&self) -> &SimulatedPlatform {
        self.platform.get_or_init(|| self.seed.platform())
    }
}

impl QuotingEnclave for SimulatedQuoting {
    fn target_info(&self) -> Result<[u8; QuoteTarget::SIZE], QuoteError> {
        Ok(self.platform().quoting_enclave())
    }

    fn quote(&self, report: &[u8; Quote::REPORT_SIZE]) -> Result<Vec<u8>, QuoteError> {
        let platform = self.platform();
        let own = TargetInfo::from_bytes(&platform.quoting_enclave()).map_err(|_| QuoteError::Refused)?;
        let report = Report::from_bytes(report).map_err(|_| QuoteError::Refused)?;
        if !self.processor.is_report_for(&report, &own) {
            return Err(QuoteError::Refused);
        }
        Ok(platform.quote(&report.body.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use aes::Aes128;
    use cmac::{Cmac, KeyInit, Mac};
    use dcap_quote::{CheckedCollateral, Quote as Parsed, Tee, TrustedRoot, verify};
    use sgx_arch::{Attributes, MiscSelect, ReportBody, Xfrm};

    use super::*;

    /// What EREPORT writes on this platform's processor for this target.
    fn report_for(seed: &Seed, target: &TargetInfo) -> [u8; 432] {
        let processor = seed.processor();
        let body = ReportBody {
            cpu_svn: processor.cpu_svn(),
            misc_select: MiscSelect(0),
            cet_attributes: 0,
            isv_ext_prod_id: [0; 16],
            attributes: Attributes {
                flags: Attributes::INIT | Attributes::MODE64BIT,
                xfrm: Xfrm(3),
            },
            mr_enclave: [1; 32],
            mr_signer: [2; 32],
            config_id: [0; 64],
            isv_prod_id: 3,
            isv_svn: 4,
            config_svn: 0,
            isv_family_id: [0; 16],
            report_data: [5; 64],
        };
        let key_id = [6; 32];
        let key = processor.report_key(target, &key_id);
        let mac = Cmac::<Aes128>::new((&*key).into()).chain_update(body.to_bytes());
        let mac = mac.finalize().into_bytes().into();
        Report { body, key_id, mac }.to_bytes()
    }

    fn target(quoting: &SimulatedQuoting) -> TargetInfo {
        TargetInfo::from_bytes(&quoting.target_info().unwrap()).unwrap()
    }

    #[test]
    fn the_quote_verifies_by_the_platforms_collateral() {
        let seed = Seed::ephemeral().unwrap();
        let quoting = SimulatedQuoting::new(seed.clone());
        let report = report_for(&seed, &target(&quoting));
        let quote = quoting.quote(&report).unwrap();

        let platform = seed.platform();
        let root = TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap();
        let checked = CheckedCollateral::check(&platform.collateral(Tee::Sgx), &root).unwrap();
        let at = checked.validity().from;
        let verdict = verify(&Parsed::parse(&quote).unwrap(), &checked, at).unwrap();
        assert_eq!(verdict.status, dcap_quote::TcbStatus::UpToDate);
        let dcap_quote::Report::Sgx(found) = verdict.report else {
            panic!("another kind of report")
        };
        assert_eq!((found.mr_enclave.0, found.isv_svn), ([1; 32], 4));
    }

    #[test]
    fn only_reports_of_this_platform_and_for_this_enclave_become_quotes() {
        let seed = Seed::ephemeral().unwrap();
        let quoting = SimulatedQuoting::new(seed.clone());
        let target = target(&quoting);
        let is_refused = |report| matches!(quoting.quote(&report), Err(QuoteError::Refused));

        let genuine = report_for(&seed, &target);
        assert!(!is_refused(genuine));
        for at in 0..genuine.len() {
            let mut changed = genuine;
            changed[at] ^= 1;
            assert!(is_refused(changed), "byte {at}");
        }
        assert!(is_refused(report_for(&Seed::ephemeral().unwrap(), &target)));
        let another = TargetInfo {
            mr_enclave: [9; 32],
            ..target
        };
        assert!(is_refused(report_for(&seed, &another)));
    }
}
