//! A quote on the command line.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use judgement::Judgement;

use crate::input;
use crate::judged_by::JudgedBy;

/// Much more than any quote.
const MAX_QUOTE_SIZE: u64 = 1 << 20;

#[derive(Args, Debug)]
pub struct QuoteToJudge {
    /// The quote as the platform made it (binary), or `-` for standard input
    #[arg(value_name = "FILE")]
    quote: PathBuf,

    #[command(flatten)]
    by: JudgedBy,
}

impl QuoteToJudge {
    /// Reads what was named and judges it.
    ///
    /// # Errors
    /// When something cannot be read; a quote that proves nothing is a judgement.
    pub fn judge(&self) -> Result<Judgement> {
        if input::is_standard(&self.quote) && self.by.reads_standard_input() {
            bail!("quote and collateral cannot both come from standard input");
        }
        let quote = input::read(&self.quote, MAX_QUOTE_SIZE)?;
        Ok(self.by.open(&quote)?.judge(&quote))
    }
}
