//! The flags that name the expected enclave.

use anyhow::{Result, bail};
use clap::Args;
use dcap_quote::Identity;

/// Without any of these flags every enclave is accepted, and the output shows which one it is.
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
}

impl IdentityFlags {
    /// None if every enclave is accepted.
    pub fn identity(&self) -> Option<Identity> {
        if let (Some(signer), Some(product), Some(version)) =
            (self.mrsigner, self.product, self.min_security_version)
        {
            return Some(Identity::mr_signer(signer, product, version));
        }
        (!self.mrenclave.is_empty()).then(|| Identity::any_mr_enclave_of(self.mrenclave.clone()))
    }
}

/// MRENCLAVE or MRSIGNER, as nacre prints them.
///
/// # Errors
/// When the text is not 64 hexadecimal digits, in upper or lower case.
pub fn measurement(text: &str) -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let decoded = base16ct::mixed::decode(text, &mut bytes);
    if !decoded.is_ok_and(|decoded| decoded.len() == 32) {
        bail!("not 64 hexadecimal digits, as `nacre inspect` prints them");
    }
    Ok(bytes)
}
