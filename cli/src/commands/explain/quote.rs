//! `nacre explain quote`: says what is wrong with a quote, and what would fix it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::verify;
use crate::flags::quote::QuoteFlags;

/// Explain what is wrong with a quote, and what would fix it
///
/// Ends with the same status as `nacre verify quote`.
#[derive(Args, Debug)]
pub(super) struct ExplainQuote {
    #[command(flatten)]
    quote: QuoteFlags,
}

impl ExplainQuote {
    pub(super) fn run(self) -> Result<ExitCode> {
        let judgement = self.quote.judge()?;
        print!("{}", judgement::explanation(&judgement));
        Ok(verify::status(&judgement))
    }
}
