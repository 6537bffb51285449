//! `nacre verify token`: what a service vouches for.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::attest::unless_refused;
use crate::expected::Expected;
use crate::{input, output};

/// Much more than any token.
const MAX_TOKEN_SIZE: u64 = 1 << 20;

/// Verify a token of an attestation service, and print its claims as JSON
///
/// The service's keys are fetched from the service itself. Ends with status 0 if the token is the service's, of now and as
/// expected, with 1 if not, and with 125 if it could not be judged.
#[derive(Args, Debug)]
pub struct VerifyToken {
    /// The token, or `-` for standard input
    #[arg(value_name = "FILE")]
    token: PathBuf,

    #[command(flatten)]
    expected: Expected,
}

impl VerifyToken {
    pub fn run(self) -> Result<ExitCode> {
        let token = String::from_utf8(input::read(&self.token, MAX_TOKEN_SIZE)?)
            .with_context(|| format!("{} is not a token, which is a text", self.token.display()))?;
        let mut policy = self.expected.identity();
        if let Some(data) = self.expected.runtime_data()? {
            policy = policy.require_runtime_data(&data);
        }
        if let Some(nonce) = self.expected.nonce() {
            policy = policy.require_nonce(nonce);
        }
        let claims = self.expected.client()?.validate(token.trim_end(), &policy);
        let Some(claims) = unless_refused(claims)? else {
            return Ok(ExitCode::FAILURE);
        };
        output::line(serde_json::to_string_pretty(&claims.all())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
