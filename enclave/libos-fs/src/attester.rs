//! What `/dev/attestation` asks of the rest of the LibOS: what the enclave proves of itself, and its own keys.

use alloc::vec::Vec;

use enclave_rt::attestation::{Key, wipe};
use kobject::Result;

/// The enclave, to those who want it proved.
pub trait Attester: Send + Sync {
    /// TARGETINFO of this enclave: who wants it to check a report passes this to EREPORT.
    fn target_info(&self) -> Result<[u8; TARGET_INFO_SIZE]>;

    /// A REPORT of this enclave with this data, for the target that a TARGETINFO names: EINVAL if that is none.
    fn report(
        &self,
        target: &[u8; TARGET_INFO_SIZE],
        data: &[u8; REPORT_DATA_SIZE],
    ) -> Result<[u8; REPORT_SIZE]>;

    /// A quote of this enclave with this data. Nobody has verified it. Waits for the host; ENODEV if that has no quoting enclave,
    /// EACCES if the quoting enclave refuses, EAGAIN if it is not ready, EIO for anything else.
    fn quote(&self, data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>>;

    /// The versions that this enclave and its processor have now.
    fn security_versions(&self) -> Result<SecurityVersions>;

    /// The sealing key of these versions, which is the same for as long as what it is bound to is. EACCES for versions that are
    /// higher than the enclave's own: the processor decides that.
    fn sealing_key(&self, bound_to: SealedTo, versions: &SecurityVersions) -> Result<Key>;

    /// The private key that the enclave has made for TLS, the same for as long as the container runs: PKCS #8 in PEM.
    fn tls_key(&self) -> Result<Secret>;

    /// A certificate of that key with a quote of now (RA-TLS), in PEM. Errors are those of [`Attester::quote`].
    fn tls_certificate(&self) -> Result<Vec<u8>>;
}

/// What only the container's programs may read. It is overwritten when it goes.
pub struct Secret(Vec<u8>);

impl Secret {
    /// These bytes, which lie nowhere else.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Key> for Secret {
    fn from(key: Key) -> Self {
        Self(key.bytes().to_vec())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Bytes of a REPORT.
pub const REPORT_SIZE: usize = 432;
/// Bytes of REPORTDATA.
pub const REPORT_DATA_SIZE: usize = 64;
/// Bytes of a TARGETINFO.
pub const TARGET_INFO_SIZE: usize = 512;

/// What a sealing key is of, beyond what it is bound to. Whoever has a version has the keys of all lower ones, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityVersions {
    /// Of the enclave (ISVSVN).
    pub isv_svn: u16,
    /// Of the processor and its microcode (CPUSVN): sixteen components without a meaning of their own.
    pub cpu_svn: [u8; 16],
}

/// What a sealing key is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedTo {
    /// This very enclave: the same image, converted the same way (MRENCLAVE).
    Enclave,
    /// Every enclave of the same signer and product (MRSIGNER).
    Signer,
}
