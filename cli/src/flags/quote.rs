//! A quote on the command line, and the flags to verify it with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::Wanted;
use judgement::Judgement;

use super::report_data::{HexBytes, nonce};
use super::verification::{NotChecked, VerificationFlags, claimed};
use crate::input;

/// Much more than any quote.
pub const MAX_QUOTE_SIZE: u64 = 1 << 20;

#[derive(Args, Debug)]
pub struct QuoteFlags {
    /// The quote (binary), or `-` for standard input
    #[arg(value_name = "FILE")]
    quote: PathBuf,

    /// Require that the report data begins with this nonce, 8 to 64 bytes: then the quote is not older than the nonce
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<HexBytes>,

    #[command(flatten)]
    verification: VerificationFlags,
}

impl QuoteFlags {
    /// What nobody asked for.
    pub fn not_checked(&self) -> Vec<NotChecked> {
        let mut missing = self.verification.not_checked();
        missing.retain(|&what| what != NotChecked::ReportData || self.nonce.is_none());
        missing
    }

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
            Ok(mut verifier) => {
                if let Some(HexBytes(nonce)) = &self.nonce {
                    verifier.policy = verifier.policy.nonce(nonce.as_slice());
                }
                verifier.judge(&quote)
            }
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
