//! The flag for the root of trust: Intel, unless a simulated platform is named.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use dcap_quote::TrustedRoot;

use crate::input;

/// Much more than any certificate.
const MAX_CERTIFICATE_SIZE: u64 = 1 << 16;

#[derive(Args, Clone, Debug)]
pub struct TrustFlags {
    /// Trust the simulated platform with this root certificate (PEM) instead of Intel. Simulated platforms protect nothing
    #[arg(long, value_name = "FILE")]
    dangerous_trust_simulated: Option<PathBuf>,
}

impl TrustFlags {
    /// Whether no simulated platform is trusted.
    pub const fn is_intel(&self) -> bool {
        self.dangerous_trust_simulated.is_none()
    }

    /// The root that was named, or Intel's.
    ///
    /// # Errors
    /// When the file is not the root certificate of a simulated platform.
    pub fn root(&self) -> Result<TrustedRoot> {
        let Some(path) = &self.dangerous_trust_simulated else {
            return Ok(TrustedRoot::intel());
        };
        let certificate = String::from_utf8(input::read(path, MAX_CERTIFICATE_SIZE)?)
            .with_context(|| format!("{} is not a certificate in PEM", path.display()))?;
        TrustedRoot::dangerous_simulated(&certificate).with_context(|| {
            format!(
                "{} is not the root certificate of a simulated platform",
                path.display()
            )
        })
    }
}
