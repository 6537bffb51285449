//! A quote on the command line: where it is, and by what it is judged.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use dcap_quote::{Policy, Quote, TcbStatus, TrustedRoot, UnixTime};
use judgement::{Judgement, Question, judge};

/// Much more than any quote.
const MAX_QUOTE_SIZE: u64 = 1 << 20;
const MAX_COLLATERAL_SIZE: u64 = dcap_quote::Collateral::MAX_SIZE as u64;

#[derive(Args, Debug)]
pub struct QuoteToJudge {
    /// The quote as the platform made it (binary), or `-` for standard input
    #[arg(value_name = "FILE")]
    quote: PathBuf,

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

impl QuoteToJudge {
    /// Reads what was named and judges it.
    ///
    /// # Errors
    /// When something cannot be read; a quote that proves nothing is a judgement.
    pub fn judge(&self) -> Result<Judgement> {
        let Some(collateral) = self.collateral.as_deref() else {
            bail!("{}", without_collateral(&read(&self.quote, MAX_QUOTE_SIZE)?));
        };
        let is_standard = |path: &Path| path == Path::new("-");
        if is_standard(&self.quote) && is_standard(collateral) {
            bail!("quote and collateral cannot both come from standard input");
        }
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
        Ok(judge(&Question {
            quote: &read(&self.quote, MAX_QUOTE_SIZE)?,
            collateral: &read(collateral, MAX_COLLATERAL_SIZE)?,
            root: &root,
            policy: &policy,
            at,
        }))
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

/// The root of a simulated platform, from its certificate.
pub fn simulated_root(path: &Path) -> Result<TrustedRoot> {
    let certificate = String::from_utf8(read(path, MAX_QUOTE_SIZE)?)
        .with_context(|| format!("{} is not a certificate in PEM", path.display()))?;
    TrustedRoot::dangerous_simulated(&certificate).with_context(|| {
        format!(
            "{} is not the root certificate of a simulated platform",
            path.display()
        )
    })
}

/// All of a file, or of standard input for `-`.
fn read(path: &Path, max_size: u64) -> Result<Vec<u8>> {
    let name = || format!("cannot read {}", path.display());
    let mut reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path).with_context(name)?)
    };
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take(max_size + 1)
        .read_to_end(&mut bytes)
        .with_context(name)?;
    if bytes.len() as u64 > max_size {
        bail!(
            "{} is larger than {max_size} bytes, which is more than such a file can have",
            path.display()
        );
    }
    Ok(bytes)
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
