//! The certificate of who vouches for a key broker, from a file.

use std::path::Path;

use anyhow::{Context, Result, bail};
use der::{Decode as _, Encode as _};
use enclave_config::MAX_AUTHORITY;
use x509_cert::Certificate;

/// The one certificate (PEM) in a file, as `nacre broker trust` writes it: in DER.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let text = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let chain = Certificate::load_pem_chain(&text);
    let chain = chain.with_context(|| format!("{shown}: not a certificate in PEM"))?;
    let [certificate] = chain.as_slice() else {
        bail!(
            "{shown}: {} certificates where one is expected: that of the broker's authority",
            chain.len()
        );
    };
    let der = certificate
        .to_der()
        .with_context(|| format!("{shown}: not a certificate"))?;
    // What is measured is what was read.
    Certificate::from_der(&der).with_context(|| format!("{shown}: not a certificate"))?;
    if der.len() > MAX_AUTHORITY {
        bail!("{shown}: the certificate is longer than {MAX_AUTHORITY} bytes");
    }
    Ok(der)
}
