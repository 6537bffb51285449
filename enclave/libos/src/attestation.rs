//! What the enclave proves of itself to others, by reports and quotes; and the keys that are its own.
//!
//! A quote takes the host twice: it names the quoting enclave, and passes the report on to it. Neither is believed: a report
//! for the wrong target is of no use to anybody, and whoever relies on a quote verifies it. That the quote is about this
//! enclave's report is looked at all the same, so that a host that answers nonsense is found at once and not by a peer.

use alloc::vec;
use alloc::vec::Vec;

use enclave_rt::attestation::{self, Key, Refused};
use enclave_rt::call;
use host_abi::{CallError, Quote, QuoteTarget};
use kobject::{Errno, Result};
use libos_fs::{
    Attester, REPORT_DATA_SIZE, REPORT_SIZE, SealedTo, Secret, SecurityVersions, TARGET_INFO_SIZE,
};
use sgx_arch::{Attributes, KeyName, KeyPolicy, KeyRequest, ReportBody, Xfrm};

use crate::tls::Tls;

const _: () = assert!(QuoteTarget::SIZE == TARGET_INFO_SIZE && Quote::REPORT_SIZE == REPORT_SIZE);

/// This enclave, for `/dev/attestation`.
pub(crate) struct Enclave {
    tls: Tls,
}

impl Enclave {
    /// With these names in its certificates.
    pub(crate) const fn new(names: Vec<Vec<u8>>) -> Self {
        Self { tls: Tls::new(names) }
    }
}

impl Attester for Enclave {
    fn target_info(&self) -> Result<[u8; TARGET_INFO_SIZE]> {
        Ok(own_body()?.target_info().to_bytes())
    }

    fn report(
        &self,
        target: &[u8; TARGET_INFO_SIZE],
        data: &[u8; REPORT_DATA_SIZE],
    ) -> Result<[u8; REPORT_SIZE]> {
        attestation::report(target, data).map_err(|Refused| Errno::EINVAL)
    }

    fn quote(&self, data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>> {
        // A quoting enclave that was started anew since it was named wants another report.
        const ATTEMPTS: usize = 3;
        let mut attempts = (0..ATTEMPTS).map(|_| attempt_quote(data));
        let last = attempts.find(|quote| !matches!(quote, Err(Errno::EAGAIN)));
        last.unwrap_or(Err(Errno::EAGAIN))
    }

    fn security_versions(&self) -> Result<SecurityVersions> {
        let own = own_body()?;
        Ok(SecurityVersions {
            isv_svn: own.isv_svn,
            cpu_svn: own.cpu_svn,
        })
    }

    fn sealing_key(&self, bound_to: SealedTo, versions: &SecurityVersions) -> Result<Key> {
        sealing_key(bound_to, versions)
    }

    fn tls_key(&self) -> Result<Secret> {
        Ok(self.tls.key())
    }

    fn tls_certificate(&self) -> Result<Vec<u8>> {
        self.tls.certificate(|data| self.quote(data))
    }
}

fn attempt_quote(data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>> {
    call::lengthy(&QuoteTarget).map_err(answered)?;
    let mut target = [0; QuoteTarget::SIZE];
    staged(target.len()).read(&mut target);
    // The host's word, so that what the processor does not take is the host's lie.
    let report = attestation::report(&target, data).map_err(|Refused| Errno::EIO)?;
    staged(report.len()).write(&report);
    let len = call::lengthy(&Quote).map_err(answered)?;
    let mut quote = vec![0; len];
    staged(len).read(&mut quote);
    if is_about(&quote, &report) {
        Ok(quote)
    } else {
        Err(Errno::EIO)
    }
}

fn staged(len: usize) -> enclave_rt::untrusted::HostMemory {
    call::staging().part(0, len)
}

/// What a program may be told of a host that gives no quote: one of three reasons that mean something to it.
fn answered(error: CallError) -> Errno {
    match error {
        CallError::Errno(errno @ (Errno::ENODEV | Errno::EACCES | Errno::EAGAIN)) => errno,
        CallError::Errno(_) | CallError::Lie(_) => Errno::EIO,
    }
}

/// Whether a quote is about this report: its body stands behind the quote's header, in all versions that there are of SGX's.
fn is_about(quote: &[u8], report: &[u8; REPORT_SIZE]) -> bool {
    const HEADER_SIZE: usize = 48;
    let body = quote.get(HEADER_SIZE..HEADER_SIZE + ReportBody::SIZE);
    body.is_some_and(|body| report.starts_with(body))
}

/// The key by which what is bound to the enclave, or to its signer, is sealed under these versions. It is the same on this
/// platform, whatever the versions of now, and never that of a debug enclave. EGETKEY refuses versions above those of now.
fn sealing_key(bound_to: SealedTo, versions: &SecurityVersions) -> Result<Key> {
    let own = own_body()?;
    let request = KeyRequest {
        name: KeyName::SEAL,
        policy: match bound_to {
            SealedTo::Enclave => KeyPolicy::MRENCLAVE,
            SealedTo::Signer => KeyPolicy::MRSIGNER,
        },
        isv_svn: versions.isv_svn,
        cpu_svn: versions.cpu_svn,
        // All of what the enclave may do counts, but not the state components that the host chooses by what processor it has.
        attributes_mask: Attributes {
            flags: !0,
            xfrm: Xfrm(!(Xfrm::AVX | Xfrm::AVX512 | Xfrm::PKRU)),
        },
        key_id: [0; 32],
        misc_mask: !0,
        config_svn: own.config_svn,
    };
    attestation::key(&request).map_err(|Refused| Errno::EACCES)
}

fn own_body() -> Result<ReportBody> {
    // Only a processor of the future sets what is reserved today.
    attestation::own_body().map_err(|_| Errno::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_of_another_report_is_noticed() {
        let report: [u8; REPORT_SIZE] = core::array::from_fn(|at| (at % 251) as u8);
        let mut quote = vec![3; 48];
        quote.extend_from_slice(&report[..384]);
        assert!(is_about(&quote, &report));
        quote.extend([9; 700]);
        assert!(is_about(&quote, &report));
        for at in 48..432 {
            let mut other = quote.clone();
            other[at] ^= 1;
            assert!(!is_about(&other, &report), "byte {at}");
        }
        for len in 0..432 {
            assert!(!is_about(&quote[..len], &report), "{len} bytes");
        }
    }

    #[test]
    fn a_host_has_three_reasons_and_no_more() {
        assert_eq!(answered(CallError::Errno(Errno::ENODEV)), Errno::ENODEV);
        assert_eq!(answered(CallError::Errno(Errno::EACCES)), Errno::EACCES);
        assert_eq!(answered(CallError::Errno(Errno::EAGAIN)), Errno::EAGAIN);
        assert_eq!(answered(CallError::Errno(Errno::ENOENT)), Errno::EIO);
        assert_eq!(answered(CallError::Lie("")), Errno::EIO);
    }
}
