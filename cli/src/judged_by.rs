//! By what quotes are judged: the flags that all commands about quotes share.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::{CacheDir, Freshness, Wanted};
use dcap_quote::{Policy, Quote, TcbStatus, TrustedRoot, UnixTime};
use judgement::{Judgement, Question, Reason, judge};

use crate::collateral::place;
use crate::trust::Trust;
use crate::{clock, input};

const MAX_COLLATERAL_SIZE: u64 = dcap_quote::Collateral::MAX_SIZE as u64;

#[derive(Args, Debug)]
pub struct JudgedBy {
    /// Intel's collateral for the quote's platform: JSON with the members of `sgx_ql_qve_collateral_t`
    #[arg(long, value_name = "FILE", conflicts_with = "collateral_cache")]
    collateral: Option<PathBuf>,

    /// The cache to take the collateral from, as `nacre collateral fetch` filled it [default: the user's own]
    #[arg(long, value_name = "DIR")]
    collateral_cache: Option<PathBuf>,

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
    /// Collateral by which to see what is to come.
    early: Option<Vec<u8>>,
}

impl JudgedBy {
    /// Whether the collateral comes from standard input.
    pub fn reads_standard_input(&self) -> bool {
        self.collateral.as_deref().is_some_and(input::is_standard)
    }

    /// Whether the collateral is found by what a quote says of itself, which must then be a quote.
    pub const fn asks_the_quote(&self) -> bool {
        self.collateral.is_none()
    }

    /// Reads what was named, or is in the cache, to judge this quote and others of its platform. `file` is where the quote comes
    /// from, if from a file.
    ///
    /// # Errors
    /// When something cannot be read, or there is no collateral.
    pub fn open(&self, quote: &[u8], file: Option<&Path>) -> Result<Judge> {
        let root = self.trust.root()?;
        let at = match self.at {
            Some(at) => at,
            None => clock::now()?,
        };
        let (collateral, early) = match &self.collateral {
            Some(path) => (input::read(path, MAX_COLLATERAL_SIZE)?, None),
            None => self.cached(&claimed(quote)?, &root, at, file)?,
        };
        Ok(Judge {
            collateral,
            root,
            policy: self.policy(),
            at,
            early,
        })
    }

    fn policy(&self) -> Policy {
        let accepted = self
            .accept
            .iter()
            .copied()
            .fold(Policy::default(), Policy::accept);
        if self.dangerous_accept_debug {
            accepted.dangerous_accept_debug()
        } else {
            accepted
        }
    }

    /// Collateral for the platform that the quote says it comes from, and what is to come; the verifier will see whether it does.
    fn cached(
        &self,
        wanted: &Wanted,
        root: &TrustedRoot,
        at: UnixTime,
        file: Option<&Path>,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
        let path = place::path(self.collateral_cache.as_deref(), root)?;
        let fetch = self.fetch(wanted, file);
        let found = || -> Result<_> {
            let cache = CacheDir::open(&path, root)?;
            let fresh = cache.collateral(wanted, at, &Freshness::default())?;
            if let Some(due) = fresh.refresh_due.filter(|_| self.at.is_none()) {
                eprintln!(
                    "nacre: note: the {} expires {}; refresh it with: {fetch}",
                    due.what, due.validity.until
                );
            }
            let early = cache.early(wanted)?;
            let early = early.map(|early| serde_json::to_vec(&early)).transpose()?;
            Ok((serde_json::to_vec(&fresh.collateral)?, early))
        };
        let hint = || {
            format!(
                "there is no collateral to verify the quote with ({wanted}); fetch it with `{fetch}`, or give a file with \
                 --collateral FILE"
            )
        };
        if self.collateral_cache.is_none() && !path.is_dir() {
            bail!("{}", hint());
        }
        found().with_context(hint)
    }

    /// The command that fetches the collateral.
    fn fetch(&self, wanted: &Wanted, file: Option<&Path>) -> String {
        let what = match file {
            Some(file) if input::is_standard(file) => "--quote FILE".to_owned(),
            Some(file) => format!("--quote {}", file.display()),
            None => format!(
                "--fmspc {} --tee {} --ca {}",
                wanted.fmspc,
                wanted.tee.to_string().to_lowercase(),
                wanted.ca
            ),
        };
        let cache = self.collateral_cache.as_ref();
        let cache = cache.map(|cache| format!(" --cache {}", cache.display()));
        format!("nacre collateral fetch {what}{}", cache.unwrap_or_default())
    }
}

impl Judge {
    /// Judges a quote; one that proves nothing is a judgement.
    pub fn judge(&self, quote: &[u8]) -> Judgement {
        let by = |collateral: &[u8]| {
            judge(&Question {
                quote,
                collateral,
                root: &self.root,
                policy: &self.policy,
                at: self.at,
            })
        };
        let judgement = by(&self.collateral);
        if let Some(early) = &self.early {
            note_recovery(&judgement, &by(early));
        }
        judgement
    }
}

/// The collateral that a quote needs, by what it says of itself: a claim until it is verified.
///
/// # Errors
/// When it is no quote, or its certificates cannot be read.
pub fn claimed(bytes: &[u8]) -> Result<Wanted, Reason> {
    let quote = Quote::parse_zero_padded(bytes)?;
    Ok(Wanted {
        tee: quote.header.tee,
        fmspc: quote.claimed_platform()?.fmspc,
        ca: quote.claimed_pck_ca()?,
    })
}

/// Says what a TCB recovery that has been disclosed will do to the judgement.
fn note_recovery(now: &Judgement, later: &Judgement) {
    let (Judgement::Authentic { verdict: now, .. }, Judgement::Authentic { verdict: later, .. }) =
        (now, later)
    else {
        return;
    };
    if later.status <= now.status {
        return;
    }
    let gaps = [&later.platform_tcb.tcb.gap, &later.quoting_enclave.gap];
    let short = gaps.into_iter().flatten().flat_map(|gap| &gap.shortfalls);
    let short: Vec<String> = short
        .map(|short| format!("{} is {}, needs {}", short.component, short.have, short.need))
        .collect();
    let short = if short.is_empty() {
        String::new()
    } else {
        format!(": {}", short.join("; "))
    };
    eprintln!(
        "nacre: note: a TCB recovery is under way: by the early TCB info this platform is {}{short}; nacre collateral status \
         says when it is expected to count",
        later.status
    );
}
