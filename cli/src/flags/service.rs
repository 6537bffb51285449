//! The flags that name an attestation service.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use attestation_client::Client;
use clap::Args;

use crate::input;

/// More than the CA certificates of a system take up.
const MAX_CA_SIZE: u64 = 8 << 20;
/// Where Linux distributions keep the CAs that the system trusts.
const SYSTEM_CAS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An attestation service.
#[derive(Args, Debug)]
pub struct ServiceFlags {
    /// The address of the service, for example `https://attest.example:8443`
    // It may be left out where there is something else to ask, of which `required` is taken away.
    #[arg(long, value_name = "URL", required = true)]
    service: Option<String>,

    /// Certificate of the service, which may be of any version and name, or of its CA (PEM) [default: the CAs that this system trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl ServiceFlags {
    /// A client of the service. Nothing is sent yet.
    pub fn client(&self) -> Result<Client> {
        let authority = match &self.ca {
            Some(path) => input::read(path, MAX_CA_SIZE)?,
            None => fs::read(SYSTEM_CAS)
                .with_context(|| format!("cannot read {SYSTEM_CAS}; name the service's CA with --ca"))?,
        };
        let service = self
            .service
            .as_deref()
            .context("name the attestation service with --service")?;
        Ok(Client::new(service, &authority)?)
    }

    /// Without a slash at the end.
    pub fn address(&self) -> &str {
        self.service.as_deref().unwrap_or_default().trim_end_matches('/')
    }
}
