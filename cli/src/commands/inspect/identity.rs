//! What a quote of an image's enclave will say, for policies that name it.

use anyhow::{Context, Result, ensure};
use dcap_quote::Bytes;

use super::Report;
use crate::flags::notices::Notices;
use crate::image_place::Source;

/// Who an enclave is.
pub struct EnclaveIdentity {
    pub mr_enclave: Bytes<32>,
    pub mr_signer: Bytes<32>,
    pub product: u16,
    pub security_version: u16,
    /// Whether its host can look into it with a debugger.
    pub is_debug: bool,
    /// The name of the key that its root file system is encrypted with.
    pub image_key: Option<Bytes<32>>,
}

impl EnclaveIdentity {
    /// Of a confidential image, all of which is read and compared with what was measured.
    ///
    /// # Errors
    /// When it is none, or something in it does not match.
    pub fn of(image: &Source) -> Result<Self> {
        let report = Report::new(&image.fetch(Notices::default())?, image)?;
        let problems = report.problems.join("; ");
        ensure!(problems.is_empty(), "{image}: {problems}");
        let digest =
            |text: &str| Bytes::from_hex(text).with_context(|| format!("{image}: {text:?} is no digest"));
        let signer = report.mr_signer.as_deref();
        Ok(Self {
            mr_enclave: digest(&report.mr_enclave)?,
            mr_signer: digest(
                signer.with_context(|| format!("{image} is not signed with an RSA-3072 key"))?,
            )?,
            product: report.signature.product,
            security_version: report.signature.security_version,
            is_debug: report.signature.debug,
            image_key: report
                .configuration
                .image_key
                .as_deref()
                .map(digest)
                .transpose()?,
        })
    }
}
