//! `nacre attestation attest`: sends a quote to an attestation service and prints the token.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use attestation_client::{Attested, ClientError, Evidence, RuntimeData};
use attestation_token::Refusal;
use clap::Args;

use crate::flags::quote::MAX_QUOTE_SIZE;
use crate::flags::token::TokenFlags;
use crate::{input, output};

/// How the issuer of tokens about simulated platforms ends.
const SIMULATED: &str = "/simulated";

/// Send a quote to an attestation service, and print the token that it returns
///
/// The token is validated before it is printed: its signature, and the claims that are required. Ends with status 0 if the
/// token is valid, 1 if the service refuses the quote or the token is not valid, and 125 if there was no answer.
#[derive(Args, Debug)]
pub struct Attest {
    /// The quote of an SGX enclave (binary), or `-` for standard input
    #[arg(value_name = "FILE")]
    quote: PathBuf,

    #[command(flatten)]
    expectations: TokenFlags,
}

impl Attest {
    pub fn run(self) -> Result<ExitCode> {
        let quote = input::read(&self.quote, MAX_QUOTE_SIZE)?;
        let data = self.expectations.runtime_data()?;
        let mut evidence = Evidence::new(&quote);
        if let Some(data) = &data {
            evidence = evidence.runtime_data(RuntimeData::Binary(data));
        }
        if let Some(nonce) = self.expectations.nonce() {
            evidence = evidence.nonce(nonce);
        }
        let attested = self
            .expectations
            .client()?
            .attest_sgx(&evidence, &self.expectations.identity());
        let Some(Attested { token, .. }) = unless_refused(attested)? else {
            return Ok(ExitCode::FAILURE);
        };
        output::line(token)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The value, or `None` for a refusal, which is reported here. No answer is an error.
pub fn unless_refused<T>(result: Result<T, ClientError>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ ClientError::Service { status: 400..500, .. }) => {
            eprintln!("nacre: refused: {error}");
            Ok(None)
        }
        Err(error @ (ClientError::Token(_) | ClientError::Claim(_))) => {
            eprintln!("nacre: refused: {error}{}", hint(&error));
            Ok(None)
        }
        Err(error) => bail!(error),
    }
}

/// What a user does about a token that is about a simulated platform, of which its issuer speaks.
fn hint(error: &ClientError) -> &'static str {
    match error {
        ClientError::Token(Refusal::Issuer { expected, found })
            if found.strip_suffix(SIMULATED) == Some(expected) =>
        {
            ". The token is about a simulated platform, which protects nothing; --dangerous-accept-simulated accepts it"
        }
        _ => "",
    }
}
