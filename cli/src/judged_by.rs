//! By what quotes are judged: the flags that all commands about quotes share.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use dcap_quote::{Policy, Quote, TcbStatus, TrustedRoot, UnixTime};
use judgement::{Judgement, Question, judge};

use crate::input;

/// Much more than a root certificate has.
const MAX_ROOT_SIZE: u64 = 1 << 20;
const MAX_COLLATERAL_SIZE: u64 = dcap_quote::Collateral::MAX_SIZE as u64;

#[derive(Args, Debug)]
pub struct JudgedBy {
    /// Intel's collateral for the quote's platform: JSON with the members of `sgx_ql_qve_collateral_t`
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,

    /// Verify for this time instead of now, for instance 2025-06-24T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<UnixTime>,

    /// Accept this TCB status too, for instance `SWHardeningNeeded`; UpToDate always is, Revoked never
    #[arg(long, value_name = "STATUS")]
    accept: Vec<TcbStatus>,

    /// Accept enclaves and trust domains that their host can look into
    #[arg(long)]
    dangerous_accept_debug: bool,

    /// Trust the simulated platform with this root certificate (PEM) instead of Intel; it protects nothing
    #[arg(long, value_name = "FILE")]
    dangerous_trust_simulated: Option<PathBuf>,
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
        let root = match &self.dangerous_trust_simulated {
            Some(path) => simulated_root(path)?,
            None => TrustedRoot::intel(),
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
            None => now()?,
        };
        Ok(Judge {
            collateral: input::read(collateral, MAX_COLLATERAL_SIZE)?,
            root,
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

fn simulated_root(path: &Path) -> Result<TrustedRoot> {
    let certificate = String::from_utf8(input::read(path, MAX_ROOT_SIZE)?)
        .with_context(|| format!("{} is not a certificate in PEM", path.display()))?;
    TrustedRoot::dangerous_simulated(&certificate).with_context(|| {
        format!(
            "{} is not the root certificate of a simulated platform",
            path.display()
        )
    })
}

fn now() -> Result<UnixTime> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since =
        since.map_err(|_| anyhow!("the clock of this machine is before 1970; give the time with --at"))?;
    Ok(UnixTime(since.as_secs()))
}

fn time(text: &str) -> Result<UnixTime> {
    UnixTime::from_rfc3339(text).context("not a time like 2025-06-24T00:00:00Z")
}
