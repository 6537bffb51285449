//! `nacre explain`: says what is wrong with a quote, and what would fix it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::commands::verify;
use crate::flags::quote::QuoteFlags;

/// Explain what is wrong with a quote, and what would fix it
#[derive(Args, Debug)]
pub struct Explain {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Quote(ExplainQuote),
}

/// Explain what is wrong with a quote, and what would fix it
///
/// Ends with the same status as `nacre verify quote`.
#[derive(Args, Debug)]
struct ExplainQuote {
    #[command(flatten)]
    quote: QuoteFlags,
}

impl Explain {
    pub fn run(self) -> Result<ExitCode> {
        let What::Quote(explain) = self.what;
        let judgement = explain.quote.judge()?;
        print!("{}", judgement::explanation(&judgement));
        Ok(verify::status(&judgement))
    }
}
