//! A quote on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::Wanted;
use judgement::Judgement;

use crate::input;
use crate::judged_by::{JudgedBy, claimed};

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
        if self.by.asks_the_quote()
            && let Err(reason) = claimed(&quote)
        {
            return Ok(Judgement::Refused(reason));
        }
        Ok(self.by.open(&quote, Some(&self.quote))?.judge(&quote))
    }
}

/// The collateral that the quote in a file needs.
///
/// # Errors
/// When it is no quote.
pub fn wanted_by(path: &Path) -> Result<Wanted> {
    let bytes = input::read(path, MAX_QUOTE_SIZE)?;
    claimed(&bytes).with_context(|| format!("{} does not say what platform it comes from", path.display()))
}
