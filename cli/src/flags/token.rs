//! The flags that name an attestation service and what its token must claim.

use std::path::PathBuf;

use anyhow::Result;
use attestation_client::Client;
use attestation_token::ClaimPolicy;
use clap::Args;

use super::identity::measurement;
use super::service::ServiceFlags;
use crate::input;

/// What a service accepts.
const MAX_RUNTIME_DATA_SIZE: u64 = 1 << 20;

/// An attestation service, and what its token must claim.
#[derive(Args, Debug)]
pub struct TokenFlags {
    #[command(flatten)]
    service: ServiceFlags,

    /// Require this enclave measurement; if given several times, one of them
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    mrenclave: Vec<[u8; 32]>,

    /// Require this enclave signer; if given several times, one of them
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    mrsigner: Vec<[u8; 32]>,

    /// Require this product number of the signer (ISVPRODID)
    #[arg(long, value_name = "NUMBER")]
    product: Option<u16>,

    /// Require this security version (ISVSVN) or a higher one
    #[arg(long, value_name = "NUMBER")]
    min_security_version: Option<u16>,

    /// Require that the enclave vouches for this file: its SHA-256 is the first half of the report data
    #[arg(long, value_name = "FILE")]
    runtime_data: Option<PathBuf>,

    /// Require this nonce in the token
    #[arg(long, value_name = "TEXT")]
    nonce: Option<String>,

    /// Accept debug enclaves and debug trust domains, which their host can read
    #[arg(long)]
    dangerous_accept_debug: bool,

    /// Accept tokens about a simulated platform, which protects nothing
    #[arg(long)]
    dangerous_accept_simulated: bool,
}

impl TokenFlags {
    /// A client of the service. Nothing is sent yet.
    pub fn client(&self) -> Result<Client> {
        Ok(self.service.client()?.expect_issuer(self.issuer()))
    }

    /// The issuer that the token must name: the service, as it calls itself for the platforms that are accepted.
    pub fn issuer(&self) -> String {
        let service = self.service.address();
        if self.dangerous_accept_simulated {
            format!("{service}/simulated")
        } else {
            service.to_owned()
        }
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
