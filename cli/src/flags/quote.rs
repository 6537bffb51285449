//! A quote on the command line, and the flags to verify it with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::Wanted;
use judgement::Judgement;

use super::verification::{VerificationFlags, claimed};
use crate::input;

/// Much more than any quote.
pub const MAX_QUOTE_SIZE: u64 = 1 << 20;

#[derive(Args, Debug)]
pub struct QuoteFlags {
    /// The quote (binary), or `-` for standard input
    #[arg(value_name = "FILE")]
    quote: PathBuf,

    #[command(flatten)]
    verification: VerificationFlags,
}

impl QuoteFlags {
    /// Reads the files and verifies the quote.
    ///
    /// # Errors
    /// When something cannot be read; a quote that proves nothing is a judgement.
    pub fn judge(&self) -> Result<Judgement> {
        if input::is_standard(&self.quote) && self.verification.reads_standard_input() {
            bail!("quote and collateral cannot both come from standard input");
        }
        let quote = input::read(&self.quote, MAX_QUOTE_SIZE)?;
        Ok(match self.verification.open(&quote, Some(&self.quote))? {
            Ok(verifier) => verifier.judge(&quote),
            Err(reason) => Judgement::Refused(reason),
        })
    }
}

/// The collateral that the quote in a file needs, by what it says of itself.
///
/// # Errors
/// When the file is not a quote.
pub fn wanted_by(path: &Path) -> Result<Wanted> {
    let bytes = input::read(path, MAX_QUOTE_SIZE)?;
    claimed(&bytes).with_context(|| format!("{} does not say what platform it comes from", path.display()))
}
