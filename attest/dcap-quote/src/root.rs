//! The trusted root certificate.

use crate::certificate::{Certificate, CertificateError, Usage};
use crate::p256::{PublicKey, sha256};
use crate::pem;
use crate::report::Bytes;

/// The root that all certificates must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    key: PublicKey,
    trust: Trust,
}

/// What a verdict stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Intel, and so the processor.
    Intel,
    /// A simulated platform: **nothing is protected**, its keys are no secret.
    Simulated,
}

/// `Intel SGX Root CA`, serial number 22650CD65A9D3489F383B49552BF501B392706AC, as published at
/// <https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer>.
const INTEL_ROOT_KEY: [u8; 64] = [
    0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10, 0xa8,
    0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5, 0x67, 0x91,
    0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac, 0xc9, 0x88, 0xe5,
    0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
];

/// Vendor id in the header of quotes by Intel's quoting enclaves: 939A7233-F79C-4CA9-940A-0DB3957F0607.
pub const INTEL_QE_VENDOR: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

/// Vendor id in the header of quotes by simulated quoting enclaves.
pub const SIMULATED_QE_VENDOR: [u8; 16] = *b"NACRE  SIMULATED";

impl TrustedRoot {
    /// Intel's root for SGX and TDX.
    #[must_use]
    pub fn intel() -> Self {
        Self {
            key: PublicKey::from_coordinates(&INTEL_ROOT_KEY),
            trust: Trust::Intel,
        }
    }

    /// The root of a simulated platform, from its certificate as PEM.
    ///
    /// Whoever can read the simulated platform's seed can sign what it likes, so a verdict that stands on such a root
    /// proves nothing; it says [`Trust::Simulated`].
    ///
    /// # Errors
    /// When the text is not exactly one self-signed certificate, or its name does not say that it is simulated.
    pub fn dangerous_simulated(certificate: &str) -> Result<Self, CertificateError> {
        let blocks = pem::decode(certificate, "CERTIFICATE").map_err(|_| CertificateError::Malformed)?;
        let [der] = blocks.as_slice() else {
            return Err(CertificateError::Profile("there must be one certificate"));
        };
        let certificate = Certificate::parse(der)?;
        let root = Self {
            key: *certificate.key(),
            trust: Trust::Simulated,
        };
        root.check(&certificate)?;
        Ok(root)
    }

    /// What this root stands for.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// SHA-256 of the root's public key (x, then y): tells one root from another.
    #[must_use]
    pub fn fingerprint(&self) -> Bytes<32> {
        Bytes(sha256(self.key.coordinates(), &[]))
    }

    /// Checks that `certificate` is this root's own.
    pub(crate) fn check(&self, certificate: &Certificate) -> Result<(), CertificateError> {
        if *certificate.key() != self.key {
            return Err(CertificateError::UntrustedRoot);
        }
        certificate.check_role(
            &self.trust.subject("SGX Root CA"),
            Usage::Authority { path_length: Some(1) },
        )?;
        certificate.check_issuer(certificate)
    }
}

impl Trust {
    /// Common name of the certificate with this role.
    pub(crate) fn subject(self, role: &str) -> String {
        let prefix = match self {
            Self::Intel => "Intel",
            Self::Simulated => "Simulated",
        };
        format!("{prefix} {role}")
    }

    /// Vendor id that the quoting enclaves below this root have.
    pub(crate) const fn qe_vendor(self) -> &'static [u8; 16] {
        match self {
            Self::Intel => &INTEL_QE_VENDOR,
            Self::Simulated => &SIMULATED_QE_VENDOR,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

    use super::*;

    /// The serial number of Intel's certificate, published with it and in its revocation lists, is the SHA-1 of the key's
    /// SubjectPublicKeyInfo: so a mistyped byte of the key shows.
    #[test]
    fn intels_key_is_the_published_one() {
        const P256_INFO: [u8; 27] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
        ];
        let info = [P256_INFO.as_slice(), &INTEL_ROOT_KEY].concat();
        let serial_number = digest(&SHA1_FOR_LEGACY_USE_ONLY, &info);
        assert_eq!(
            base16ct::lower::encode_string(serial_number.as_ref()),
            "22650cd65a9d3489f383b49552bf501b392706ac"
        );
    }
}
