//! The flags that name the expected enclave or trust domain.

use anyhow::{Context, Result};
use clap::Args;
use dcap_quote::{Domain, Identity};

/// Without any of these flags every enclave and trust domain is accepted, and the output shows which one it is.
#[derive(Args, Debug)]
pub struct IdentityFlags {
    /// Require this enclave measurement; if given several times, one of them
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    mrenclave: Vec<[u8; 32]>,

    /// Require an enclave by this signer; give --product and --min-security-version, too
    #[arg(long, value_name = "HEX", value_parser = measurement, conflicts_with = "mrenclave",
          requires_all = ["product", "min_security_version"])]
    mrsigner: Option<[u8; 32]>,

    /// Require this product number of the signer (ISVPRODID)
    #[arg(long, value_name = "NUMBER", requires = "mrsigner")]
    product: Option<u16>,

    /// Require this security version of the product (ISVSVN) or a higher one
    #[arg(long, value_name = "NUMBER", requires = "mrsigner")]
    min_security_version: Option<u16>,

    /// Require this measurement of a trust domain (MRTD); if given several times, one of them
    #[arg(long, value_name = "HEX", value_parser = register, conflicts_with_all = ["mrenclave", "mrsigner"])]
    mrtd: Vec<[u8; 48]>,

    /// Require this value of the trust domain's register RTMR0
    #[arg(long, value_name = "HEX", value_parser = register, requires = "mrtd")]
    rtmr0: Option<[u8; 48]>,

    /// Require this value of RTMR1
    #[arg(long, value_name = "HEX", value_parser = register, requires = "mrtd")]
    rtmr1: Option<[u8; 48]>,

    /// Require this value of RTMR2
    #[arg(long, value_name = "HEX", value_parser = register, requires = "mrtd")]
    rtmr2: Option<[u8; 48]>,

    /// Require this value of RTMR3
    #[arg(long, value_name = "HEX", value_parser = register, requires = "mrtd")]
    rtmr3: Option<[u8; 48]>,

    /// Require this MRCONFIGID of the trust domain
    #[arg(long, value_name = "HEX", value_parser = register, requires = "mrtd")]
    mrconfigid: Option<[u8; 48]>,
}

impl IdentityFlags {
    /// None if every enclave is accepted.
    pub fn identity(&self) -> Option<Identity> {
        if let (Some(signer), Some(product), Some(version)) =
            (self.mrsigner, self.product, self.min_security_version)
        {
            return Some(Identity::mr_signer(signer, product, version));
        }
        if !self.mrtd.is_empty() {
            return Some(Identity::domain(Domain {
                mr_td: self.mrtd.clone(),
                rt_mr: [self.rtmr0, self.rtmr1, self.rtmr2, self.rtmr3],
                mr_config_id: self.mrconfigid,
            }));
        }
        (!self.mrenclave.is_empty()).then(|| Identity::any_mr_enclave_of(self.mrenclave.clone()))
    }
}

/// MRENCLAVE or MRSIGNER, as nacre prints them.
///
/// # Errors
/// When the text is not 64 hexadecimal digits, in upper or lower case.
pub fn measurement(text: &str) -> Result<[u8; 32]> {
    hexadecimal(text).context("not 64 hexadecimal digits, as `nacre inspect` prints them")
}

/// A measurement of a trust domain, as nacre prints it.
///
/// # Errors
/// When the text is not 96 hexadecimal digits, in upper or lower case.
pub fn register(text: &str) -> Result<[u8; 48]> {
    hexadecimal(text).context("not 96 hexadecimal digits, as `nacre verify quote` prints them")
}

fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let decoded = base16ct::mixed::decode(text, &mut bytes);
    decoded.is_ok_and(|decoded| decoded.len() == N).then_some(bytes)
}
