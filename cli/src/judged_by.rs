//! By what quotes are judged: the flags that all commands about quotes share.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use dcap_quote::{Policy, Quote, TcbStatus, TrustedRoot, UnixTime};
use judgement::{Judgement, Question, judge};

use crate::trust::Trust;
use crate::{clock, input};

const MAX_COLLATERAL_SIZE: u64 = dcap_quote::Collateral::MAX_SIZE as u64;

#[derive(Args, Debug)]
pub struct JudgedBy {
    /// Intel's collateral for the quote's platform: JSON with the members of `sgx_ql_qve_collateral_t`
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,

    /// Verify for this time instead of now, for instance 2025-06-24T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = clock::time)]
    at: Option<UnixTime>,

    /// Accept this TCB status too, for instance `SWHardeningNeeded`; UpToDate always is, Revoked never
    #[arg(long, value_name = "STATUS")]
    accept: Vec<TcbStatus>,

    /// Accept enclaves and trust domains that their host can look into
    #[arg(long)]
    dangerous_accept_debug: bool,

    #[command(flatten)]
    trust: Trust,
}

/// What the flags stand for, read and ready.
pub struct Judge {
    /// The collateral file.
    pub collateral: Vec<u8>,
    pub root: TrustedRoot,
    pub policy: Policy,
    pub at: UnixTime,
}

impl JudgedBy {
    /// Whether the collateral comes from standard input.
    pub fn reads_standard_input(&self) -> bool {
        self.collateral.as_deref().is_some_and(input::is_standard)
    }

    /// Reads what was named, to judge this quote and others.
    ///
    /// # Errors
    /// When something cannot be read, or was not named.
    pub fn open(&self, quote: &[u8]) -> Result<Judge> {
        let Some(collateral) = self.collateral.as_deref() else {
            bail!("{}", without_collateral(quote));
        };
        let accepted = self
            .accept
            .iter()
            .copied()
            .fold(Policy::default(), Policy::accept);
        let policy = if self.dangerous_accept_debug {
            accepted.dangerous_accept_debug()
        } else {
            accepted
        };
        let at = match self.at {
            Some(at) => at,
            None => clock::now()?,
        };
        Ok(Judge {
            collateral: input::read(collateral, MAX_COLLATERAL_SIZE)?,
            root: self.trust.root()?,
            policy,
            at,
        })
    }
}

impl Judge {
    /// Judges a quote; one that proves nothing is a judgement.
    pub fn judge(&self, quote: &[u8]) -> Judgement {
        judge(&Question {
            quote,
            collateral: &self.collateral,
            root: &self.root,
            policy: &self.policy,
            at: self.at,
        })
    }
}

/// What to give, as far as the quote itself says it.
fn without_collateral(quote: &[u8]) -> String {
    let platform = Quote::parse_zero_padded(quote)
        .ok()
        .and_then(|quote| Some((quote.header.tee, quote.claimed_platform().ok()?)));
    let wanted = match platform {
        Some((tee, platform)) => format!("Intel's for {tee} on FMSPC {}", platform.fmspc),
        None => "Intel's for its platform".to_owned(),
    };
    format!("there is no collateral to verify the quote with; give {wanted} with --collateral FILE")
}
