//! A quote on the command line: where it is, and by what it is judged.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::{CacheDir, Freshness, Wanted};
use dcap_quote::{Policy, Quote, TcbStatus, TrustedRoot, UnixTime};
use judgement::{Judgement, Question, Reason, judge};

use crate::collateral::place;
use crate::trust::Trust;
use crate::{clock, input};

/// Much more than any quote.
const MAX_QUOTE_SIZE: u64 = 1 << 20;
const MAX_COLLATERAL_SIZE: u64 = dcap_quote::Collateral::MAX_SIZE as u64;

#[derive(Args, Debug)]
pub struct QuoteToJudge {
    /// The quote as the platform made it (binary), or `-` for standard input
    #[arg(value_name = "FILE")]
    quote: PathBuf,

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

impl QuoteToJudge {
    /// Reads what was named and judges it.
    ///
    /// # Errors
    /// When something cannot be read; a quote that proves nothing is a judgement.
    pub fn judge(&self) -> Result<Judgement> {
        if input::is_standard(&self.quote) && self.collateral.as_deref().is_some_and(input::is_standard) {
            bail!("quote and collateral cannot both come from standard input");
        }
        let root = self.trust.root()?;
        let at = match self.at {
            Some(at) => at,
            None => clock::now()?,
        };
        let quote = input::read(&self.quote, MAX_QUOTE_SIZE)?;
        let collateral = match &self.collateral {
            Some(path) => Evidence {
                current: input::read(path, MAX_COLLATERAL_SIZE)?,
                early: None,
            },
            None => match claimed(&quote) {
                Ok(wanted) => self.cached(&wanted, &root, at)?,
                Err(reason) => return Ok(Judgement::Refused(reason)),
            },
        };
        let policy = self.policy();
        let by = |collateral: &[u8]| {
            judge(&Question {
                quote: &quote,
                collateral,
                root: &root,
                policy: &policy,
                at,
            })
        };
        let judgement = by(&collateral.current);
        if let Some(early) = &collateral.early {
            note_recovery(&judgement, &by(early));
        }
        Ok(judgement)
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

    /// Collateral for the platform that the quote says it comes from; the verifier will see whether it does.
    fn cached(&self, wanted: &Wanted, root: &TrustedRoot, at: UnixTime) -> Result<Evidence> {
        let path = place::path(self.collateral_cache.as_deref(), root)?;
        let evidence = || -> Result<Evidence> {
            let cache = CacheDir::open(&path, root)?;
            let fresh = cache.collateral(wanted, at, &Freshness::default())?;
            if let Some(due) = fresh.refresh_due.filter(|_| self.at.is_none()) {
                eprintln!(
                    "nacre: note: the {} expires {}; refresh it with: {}",
                    due.what,
                    due.validity.until,
                    self.fetch()
                );
            }
            let early = cache.early(wanted)?;
            Ok(Evidence {
                current: serde_json::to_vec(&fresh.collateral)?,
                early: early.map(|early| serde_json::to_vec(&early)).transpose()?,
            })
        };
        let hint = || {
            format!(
                "there is no collateral to verify the quote with ({wanted}); fetch it with `{}`, or give a file with \
                 --collateral FILE",
                self.fetch()
            )
        };
        if self.collateral_cache.is_none() && !path.is_dir() {
            bail!("{}", hint());
        }
        evidence().with_context(hint)
    }

    /// The command that fetches the collateral.
    fn fetch(&self) -> String {
        let quote = if input::is_standard(&self.quote) {
            "FILE".to_owned()
        } else {
            self.quote.display().to_string()
        };
        let cache = self.collateral_cache.as_ref();
        let cache = cache.map(|cache| format!(" --cache {}", cache.display()));
        format!(
            "nacre collateral fetch --quote {quote}{}",
            cache.unwrap_or_default()
        )
    }
}

/// Collateral files.
struct Evidence {
    /// To judge by.
    current: Vec<u8>,
    /// To see what is to come.
    early: Option<Vec<u8>>,
}

/// The collateral that a quote needs, by what it says of itself: a claim until it is verified.
fn claimed(bytes: &[u8]) -> Result<Wanted, Reason> {
    let quote = Quote::parse_zero_padded(bytes)?;
    Ok(Wanted {
        tee: quote.header.tee,
        fmspc: quote.claimed_platform()?.fmspc,
        ca: quote.claimed_pck_ca()?,
    })
}

/// As [`claimed`], of a file.
///
/// # Errors
/// When it is no quote.
pub fn wanted_by(path: &Path) -> Result<Wanted> {
    let bytes = input::read(path, MAX_QUOTE_SIZE)?;
    claimed(&bytes).with_context(|| format!("{} does not say what platform it comes from", path.display()))
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
