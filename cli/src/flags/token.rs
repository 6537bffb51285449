//! The flags that name an attestation service and what its token must claim.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use attestation_client::Client;
use attestation_token::ClaimPolicy;
use clap::Args;

use super::identity::measurement;
use crate::input;

/// More than all authorities of a system take up.
const MAX_AUTHORITY_SIZE: u64 = 8 << 20;
/// What a service takes.
const MAX_RUNTIME_DATA_SIZE: u64 = 1 << 20;
/// Where Linux distributions keep the authorities that the system trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An attestation service, and what its token must claim.
#[derive(Args, Debug)]
pub struct TokenFlags {
    /// The service, for instance `https://attest.example:8443`
    #[arg(long, value_name = "URL")]
    service: String,

    /// Certificate of the service or of its authority (PEM) [default: the authorities that this system trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The enclave must have this measurement; given several times, one of them
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    mrenclave: Vec<[u8; 32]>,

    /// The enclave must have this signer; given several times, one of them
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    mrsigner: Vec<[u8; 32]>,

    /// The enclave must be this product of its signer
    #[arg(long, value_name = "NUMBER")]
    product: Option<u16>,

    /// The enclave must have this security version or a higher one
    #[arg(long, value_name = "NUMBER")]
    min_security_version: Option<u16>,

    /// The enclave must vouch for what is in this file: its SHA-256 is the first half of the report data
    #[arg(long, value_name = "FILE")]
    runtime_data: Option<PathBuf>,

    /// The token must repeat this
    #[arg(long, value_name = "TEXT")]
    nonce: Option<String>,

    /// Accept enclaves and trust domains that their host can look into
    #[arg(long)]
    dangerous_accept_debug: bool,

    /// Expect tokens about a simulated platform, which protects nothing
    #[arg(long)]
    dangerous_accept_simulated: bool,
}

impl TokenFlags {
    /// A client of the service. Nothing is sent yet.
    pub fn client(&self) -> Result<Client> {
        let authority = match &self.ca {
            Some(path) => input::read(path, MAX_AUTHORITY_SIZE)?,
            None => fs::read(SYSTEM_AUTHORITIES)
                .with_context(|| format!("cannot read {SYSTEM_AUTHORITIES}; name the service's with --ca"))?,
        };
        let client = Client::new(&self.service, &authority)?;
        Ok(if self.dangerous_accept_simulated {
            client.expect_issuer(format!("{}/simulated", self.service.trim_end_matches('/')))
        } else {
            client
        })
    }

    /// The runtime data that the enclave vouches for, if a file was named.
    pub fn runtime_data(&self) -> Result<Option<Vec<u8>>> {
        let path = self.runtime_data.as_deref();
        path.map(|path| input::read(path, MAX_RUNTIME_DATA_SIZE))
            .transpose()
    }

    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// What the token must claim, except for runtime data and nonce.
    pub fn identity(&self) -> ClaimPolicy {
        let policy = ClaimPolicy::default();
        let policy = self
            .mrenclave
            .iter()
            .copied()
            .fold(policy, ClaimPolicy::require_mrenclave);
        let mut policy = self
            .mrsigner
            .iter()
            .copied()
            .fold(policy, ClaimPolicy::require_mrsigner);
        if let Some(product) = self.product {
            policy = policy.require_product_id(product);
        }
        if let Some(version) = self.min_security_version {
            policy = policy.min_svn(version);
        }
        if self.dangerous_accept_debug {
            policy = policy.dangerous_accept_debug();
        }
        if self.dangerous_accept_simulated {
            policy = policy.dangerous_accept_simulated();
        }
        policy
    }
}
