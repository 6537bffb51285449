//! `nacre verify token`: verifies a token of an attestation service.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::commands::attestation::unless_refused;
use crate::flags::token::TokenFlags;
use crate::{input, output};

/// Much more than any token.
const MAX_TOKEN_SIZE: u64 = 1 << 20;

/// Verify a token of an attestation service, and print its claims as JSON
///
/// The service's keys are fetched from the service itself. Ends with status 0 if the service signed the token, it is
/// valid now, and it claims what is required; 1 if not; and 125 if it could not be verified.
#[derive(Args, Debug)]
pub struct VerifyToken {
    /// The token, or `-` for standard input
    #[arg(value_name = "FILE")]
    token: PathBuf,

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
        let claims = self.expectations.client()?.validate(token.trim_end(), &policy);
        let Some(claims) = unless_refused(claims)? else {
            return Ok(ExitCode::FAILURE);
        };
        output::line(serde_json::to_string_pretty(&claims.all())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
