//! `nacre verify token`: verifies a token of an attestation service.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use attestation_client::ClientError;
use attestation_token::{KeySet, Validator};
use clap::Args;

use crate::commands::attestation::unless_refused;
use crate::flags::token::TokenFlags;
use crate::{clock, input, output};

/// Much more than any token.
const MAX_TOKEN_SIZE: u64 = 1 << 20;

/// Verify a token of an attestation service, and print its claims as JSON
///
/// The service's keys are fetched from the service itself, or read from a file, and then nothing is fetched. Ends with status 0 if the service signed the token, it is
/// valid now, and it claims what is required; 1 if not; and 125 if it could not be verified.
#[derive(Args, Debug)]
pub struct VerifyToken {
    /// The token, or `-` for standard input
    #[arg(value_name = "FILE")]
    token: PathBuf,

    /// The service's keys (a JSON Web Key Set, as it serves at /certs); --service then only names the issuer
    #[arg(long, value_name = "FILE", conflicts_with = "ca")]
    keys: Option<PathBuf>,

    #[command(flatten)]
    expectations: TokenFlags,
}

impl VerifyToken {
    pub fn run(self) -> Result<ExitCode> {
        let token = String::from_utf8(input::read(&self.token, MAX_TOKEN_SIZE)?)
            .with_context(|| format!("{} is not a token: it is not text", self.token.display()))?;
        let mut policy = self.expectations.identity();
        if let Some(data) = self.expectations.runtime_data()? {
            policy = policy.require_runtime_data(&data);
        }
        if let Some(nonce) = self.expectations.nonce() {
            policy = policy.require_nonce(nonce);
        }
        let token = token.trim_end();
        let claims = match &self.keys {
            Some(path) => {
                let keys = KeySet::parse(&input::read(path, KeySet::MAX_SIZE as u64)?);
                let keys = keys.with_context(|| format!("cannot use the keys in {}", path.display()))?;
                let validator = Validator::new(self.expectations.issuer());
                let validated = validator.validate(token, &keys, &policy, clock::now()?);
                validated.map_err(ClientError::from)
            }
            None => self.expectations.client()?.validate(token, &policy),
        };
        let Some(claims) = unless_refused(claims)? else {
            return Ok(ExitCode::FAILURE);
        };
        output::line(serde_json::to_string_pretty(&claims.all())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
