//! The flags that all commands share which verify quotes: collateral, time, policy and identity.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::{CacheDir, Freshness, Wanted};
use dcap_quote::{
    CheckedCollateral, Collateral, PckCa, PlatformPolicy, Policy, Quote, SIMULATED_QE_VENDOR, TcbStatus, Tee,
    TrustedRoot, UnixTime,
};
use judgement::{Judgement, Question, Reason, check_collateral, judge};

use super::collateral_dir;
use super::identity::{IdentityFlags, register};
use super::report_data::{HexBytes, report_data};
use super::trust::TrustFlags;
use crate::{clock, input};

const MAX_COLLATERAL_SIZE: u64 = Collateral::MAX_SIZE as u64;
/// Much more than a list of machines.
const MAX_POLICY_SIZE: u64 = 16 << 20;

#[derive(Args, Debug)]
pub struct VerificationFlags {
    /// Intel's collateral for the quote's platform: JSON with the members of `sgx_ql_qve_collateral_t`
    #[arg(long, value_name = "FILE", conflicts_with = "collateral_cache")]
    collateral: Option<PathBuf>,

    /// The directory with the collateral [default: nacre/collateral in the user's cache]
    #[arg(long, value_name = "DIR")]
    collateral_cache: Option<PathBuf>,

    /// Refuse TCB info, QE identities and PCK revocation lists from the cache that are older than DAYS days, even if they
    /// have not expired
    #[arg(long, value_name = "DAYS", conflicts_with = "collateral")]
    max_age: Option<u32>,

    /// Verify as of this time instead of now, for example 2025-06-24T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = clock::time)]
    at: Option<UnixTime>,

    /// Also accept this TCB status, for example `SWHardeningNeeded`. UpToDate is always accepted, Revoked never
    #[arg(long, value_name = "STATUS")]
    accept: Vec<TcbStatus>,

    /// Ask for more of the platform, and accept more, by this file in JSON: advisories, hyperthreading, whose machine it is, …
    /// (the documentation of attestation lists its members)
    #[arg(long, value_name = "FILE")]
    platform_policy: Option<PathBuf>,

    /// Require this report data, 1 to 64 bytes; zeroes follow what is shorter
    #[arg(long, value_name = "HEX", value_parser = report_data)]
    report_data: Option<HexBytes>,

    /// Accept debug enclaves and debug trust domains, which their host can read
    #[arg(long)]
    dangerous_accept_debug: bool,

    /// Accept a trust domain to which service domains with this measurement are bound, also if these may move it to another
    /// machine. What they may do is not verified
    #[arg(long, value_name = "HEX", value_parser = register)]
    dangerous_accept_mrservicetd: Option<[u8; 48]>,

    /// Accept trust domains without SEPT_VE_DISABLE, into which their host can inject exceptions
    #[arg(long)]
    dangerous_accept_missing_sept_ve_disable: bool,

    #[command(flatten)]
    identity: IdentityFlags,

    #[command(flatten)]
    trust: TrustFlags,
}

/// Everything that verifying a quote takes, read and ready.
pub struct QuoteVerifier {
    /// The collateral of the quote's platform.
    pub collateral: Arc<CheckedCollateral>,
    /// The collateral of a TCB recovery that has been disclosed, but is not in effect yet.
    early: Option<CheckedCollateral>,
    pub policy: Policy,
    pub at: UnixTime,
}

/// What a verdict says nothing about, since nobody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChecked {
    /// Which enclave or trust domain it is.
    Identity,
    /// What the quote was made for.
    ReportData,
}

impl NotChecked {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::ReportData => "report_data",
        }
    }
}

/// For people: what it means, and what to do.
impl fmt::Display for NotChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => {
                "which enclave or trust domain this is: anybody's passes (--mrenclave, --mrsigner or --mrtd)"
            }
            Self::ReportData => {
                "what the report data says: an old quote, or one made for another, passes (--report-data or --nonce)"
            }
        })
    }
}

impl VerificationFlags {
    /// What nobody asked for.
    pub fn not_checked(&self) -> Vec<NotChecked> {
        let identity = self.identity.identity().is_none().then_some(NotChecked::Identity);
        let report_data = self.report_data.is_none().then_some(NotChecked::ReportData);
        identity.into_iter().chain(report_data).collect()
    }

    /// Whether the collateral comes from standard input.
    pub fn reads_standard_input(&self) -> bool {
        self.collateral.as_deref().is_some_and(input::is_standard)
    }

    /// Reads the files that the flags name, to verify this quote (read from `file`, if from any) and others of its
    /// platform. A quote that does not say what platform it comes from is refused.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn open(&self, quote: &[u8], file: Option<&Path>) -> Result<Result<QuoteVerifier, Reason>> {
        let root = self.trust.root()?;
        let at = match self.at {
            Some(at) => at,
            None => clock::now()?,
        };
        let checked = match &self.collateral {
            Some(path) => {
                let json = input::read(path, MAX_COLLATERAL_SIZE)?;
                // What is no quote is told so first, whatever the collateral is.
                Quote::parse_zero_padded(quote)
                    .map_err(Reason::from)
                    .and_then(|_| check_collateral(&json, &root))
                    .map(|collateral| (collateral, None))
            }
            None => match claimed(quote) {
                Ok(wanted) => {
                    self.refuse_simulated(quote)?;
                    let (collateral, early) = self.cached(&wanted, file, &root, at)?;
                    let checked = CheckedCollateral::check(&collateral, &root).map_err(Reason::from);
                    let early = early.and_then(|early| CheckedCollateral::check(&early, &root).ok());
                    checked.map(|collateral| (collateral, early))
                }
                Err(reason) => Err(reason),
            },
        };
        let (collateral, early) = match checked {
            Ok(checked) => checked,
            Err(reason) => return Ok(Err(reason)),
        };
        Ok(Ok(QuoteVerifier {
            collateral: Arc::new(collateral),
            early,
            policy: self.policy()?,
            at,
        }))
    }

    /// Nobody but the machine itself has collateral for a simulated platform: says so, instead of where to fetch some.
    fn refuse_simulated(&self, quote: &[u8]) -> Result<()> {
        let vendor = Quote::parse_zero_padded(quote).map(|quote| quote.header.qe_vendor);
        let is_asked = self.trust.is_intel() && self.collateral_cache.is_none();
        if is_asked && vendor == Ok(SIMULATED_QE_VENDOR) {
            bail!(
                "this quote is from a simulated platform, which protects nothing, and it proves nothing. To try things out, run \
                 `nacre simulated-platform export DIR` on that machine, and give --collateral DIR/collateral.json \
                 --dangerous-trust-simulated DIR/root.pem"
            );
        }
        Ok(())
    }

    fn policy(&self) -> Result<Policy> {
        let accepted = self.accept.iter().copied();
        let mut policy = accepted.fold(Policy::default(), Policy::accept);
        if let Some(path) = &self.platform_policy {
            policy = policy.platform(platform_policy(path)?);
        }
        if let Some(identity) = self.identity.identity() {
            policy = policy.identity(identity);
        }
        if let Some(HexBytes(report_data)) = &self.report_data {
            policy = policy.report_data(report_data.as_slice());
        }
        if self.dangerous_accept_debug {
            policy = policy.dangerous_accept_debug();
        }
        if let Some(measurement) = self.dangerous_accept_mrservicetd {
            policy = policy.dangerous_accept_service_td(measurement);
        }
        if self.dangerous_accept_missing_sept_ve_disable {
            policy = policy.dangerous_accept_missing_sept_ve_disable();
        }
        Ok(policy)
    }

    /// Today's collateral, and the early one, for the platform that the quote says it comes from. The verifier will check
    /// that it does.
    fn cached(
        &self,
        wanted: &Wanted,
        file: Option<&Path>,
        root: &TrustedRoot,
        at: UnixTime,
    ) -> Result<(Collateral, Option<Collateral>)> {
        let path = collateral_dir::path(self.collateral_cache.as_deref(), root)?;
        let collateral = || -> Result<(Collateral, Option<Collateral>)> {
            let cache = CacheDir::open(&path, root)?;
            let freshness = Freshness {
                max_age: self
                    .max_age
                    .map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
                ..Freshness::default()
            };
            let fresh = cache.collateral(wanted, at, &freshness)?;
            if let Some(due) = fresh.refresh_due.filter(|_| self.at.is_none()) {
                eprintln!(
                    "nacre: note: the {} expires {}; refresh it with: {}",
                    due.what,
                    due.validity.until,
                    self.fetch(wanted, file)
                );
            }
            let early = cache.early(wanted, at)?;
            Ok((fresh.collateral, early))
        };
        let hint = || {
            format!(
                "there is no collateral to verify the quote with ({wanted}); fetch it with `{}`, or give a file with \
                 --collateral FILE",
                self.fetch(wanted, file)
            )
        };
        if self.collateral_cache.is_none() && !path.is_dir() {
            bail!("{}", hint());
        }
        collateral().with_context(hint)
    }

    /// The command that fetches the collateral.
    fn fetch(&self, wanted: &Wanted, file: Option<&Path>) -> String {
        let platform = match file {
            Some(path) if input::is_standard(path) => "--quote FILE".to_owned(),
            Some(path) => format!("--quote {}", path.display()),
            None => {
                let tee = match wanted.tee {
                    Tee::Sgx => "",
                    Tee::Tdx => " --tee tdx",
                };
                let ca = match wanted.ca {
                    PckCa::Processor => "processor",
                    PckCa::Platform => "platform",
                };
                format!("--fmspc {} --ca {ca}{tee}", wanted.fmspc)
            }
        };
        let cache = self.collateral_cache.as_ref();
        let cache = cache.map(|cache| format!(" --collateral-cache {}", cache.display()));
        format!("nacre collateral fetch {platform}{}", cache.unwrap_or_default())
    }
}

impl QuoteVerifier {
    /// Verifies a quote. One that proves nothing is a judgement, not an error.
    pub fn judge(&self, quote: &[u8]) -> Judgement {
        let by = |collateral: &CheckedCollateral| {
            judge(&Question {
                quote,
                collateral,
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

/// The policy in a file.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn platform_policy(path: &Path) -> Result<PlatformPolicy> {
    let policy = PlatformPolicy::from_json(&input::read(path, MAX_POLICY_SIZE)?);
    policy.with_context(|| format!("cannot use the platform policy {}", path.display()))
}

/// The collateral that a quote needs, by what it says of itself: a claim until it is verified.
///
/// # Errors
/// When these bytes are not a quote, or do not say it.
pub fn claimed(bytes: &[u8]) -> Result<Wanted, Reason> {
    let quote = Quote::parse_zero_padded(bytes)?;
    Ok(Wanted {
        tee: quote.header.tee,
        fmspc: quote.claimed_platform()?.fmspc,
        ca: quote.claimed_pck_ca()?,
    })
}

/// Warns if a disclosed TCB recovery will change the judgement.
fn note_recovery(now: &Judgement, later: &Judgement) {
    let (Judgement::Authentic { verdict: now, .. }, Judgement::Authentic { verdict: later, .. }) =
        (now, later)
    else {
        return;
    };
    if later.status <= now.status {
        return;
    }
    let lacks: Vec<String> = later.lacks().iter().map(ToString::to_string).collect();
    let short = if lacks.is_empty() {
        String::new()
    } else {
        format!(": {}", lacks.join("; "))
    };
    eprintln!(
        "nacre: note: a TCB recovery is under way: with the early TCB info this platform is {}{short}; nacre collateral \
         status shows when it will take effect",
        later.status
    );
}
