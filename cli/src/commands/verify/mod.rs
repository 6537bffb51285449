//! `nacre verify`: verifies quotes, tokens and TLS servers (RA-TLS).

mod tls;
mod tls_peer;
mod token;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use self::tls::VerifyTls;
use self::token::VerifyToken;
use crate::flags::quote::QuoteFlags;

/// Verify quotes, tokens and TLS servers of enclaves and trust domains
#[derive(Args, Debug)]
pub struct Verify {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Quote(VerifyQuote),
    Tls(VerifyTls),
    Token(VerifyToken),
}

/// Verify a quote of an SGX enclave or a TDX trust domain
///
/// Ends with status 0 if the quote is authentic and acceptable, 1 if it is not, and 125 if it could not be verified.
#[derive(Args, Debug)]
struct VerifyQuote {
    #[command(flatten)]
    quote: QuoteFlags,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Quote(verify) => verify.run(),
            What::Tls(verify) => verify.run(),
            What::Token(verify) => verify.run(),
        }
    }
}

impl VerifyQuote {
    fn run(self) -> Result<ExitCode> {
        let judgement = self.quote.judge()?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&judgement)?);
        } else {
            print!("{}", judgement::summary(&judgement));
        }
        Ok(status(&judgement))
    }
}

/// Success if the quote is acceptable.
pub fn status(judgement: &judgement::Judgement) -> ExitCode {
    if judgement.is_acceptable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
