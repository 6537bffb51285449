//! `nacre attestation serve`: runs an attestation service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use attestation_service::{
    AdminToken, CollateralFiles, CollateralSource, Config, Limits, PolicySigner, TlsFiles, Url,
};
use clap::Args;
use dcap_quote::{Policy, TcbStatus, UnixTime};

use super::cached_collateral::CachedCollateral;
use crate::flags::trust::TrustFlags;
use crate::flags::verification::platform_policy;
use crate::output;

/// Run an attestation service, which takes quotes and returns signed tokens (protocol of Microsoft Azure Attestation)
///
/// Runs until SIGTERM or SIGINT. It takes up newer collateral within half a minute, or on SIGHUP. Health is at /health,
/// metrics (OpenMetrics) are at /metrics.
#[derive(Args, Debug)]
pub struct Serve {
    /// The address to listen on; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// Where to keep keys, policies and the certificate; the directory is made if it does not exist
    #[arg(long, value_name = "DIRECTORY")]
    state: PathBuf,

    /// The address at which clients reach the service, if another; it is the issuer of the tokens
    #[arg(long, value_name = "https://HOST[:PORT]")]
    url: Option<Url>,

    /// A file with collateral for one kind of platform; can be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "collateral_cache")]
    collateral: Vec<PathBuf>,

    /// The directory with the collateral, which `nacre collateral fetch` fills; newer collateral is taken up
    #[arg(long, value_name = "DIR")]
    collateral_cache: Option<PathBuf>,

    /// Certificate chain (PEM) [default: the service makes one for its addresses, DIRECTORY/tls.pem]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Also accept this TCB status, for example `SWHardeningNeeded`. UpToDate is always accepted, Revoked never
    #[arg(long, value_name = "STATUS")]
    accept: Vec<TcbStatus>,

    /// Ask for more of platforms, and accept more, by this file in JSON: advisories, hyperthreading, whose machine it is, … (the
    /// documentation of attestation lists its members)
    #[arg(long, value_name = "FILE")]
    platform_policy: Option<PathBuf>,

    /// File with the secret that callers must send as a bearer token to read and change policies
    #[arg(long, value_name = "FILE")]
    admin_token: Option<PathBuf>,

    /// Certificate (PEM) of a policy signer; if one is given, changes of policies must be signed
    #[arg(long, value_name = "FILE")]
    policy_signer: Vec<PathBuf>,

    /// Write the log as JSON
    #[arg(long)]
    log_json: bool,

    #[command(flatten)]
    trust: TrustFlags,
}

impl Serve {
    pub fn run(self) -> Result<ExitCode> {
        start_log(self.log_json);
        attestation_service::run(self.config()?, |server| {
            // The service runs even if nobody reads its output.
            let _ = output::line(format_args!(
                "serving at https://{}, issuer {}, certificate {}",
                server.address(),
                server.issuer(),
                server.certificate().display()
            ));
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn config(self) -> Result<Config> {
        let root = self.trust.root()?;
        let collateral: Arc<dyn CollateralSource> = match &self.collateral_cache {
            Some(directory) => Arc::new(CachedCollateral::open(directory, &root)?),
            None => Arc::new(CollateralFiles::load(self.collateral, root.clone())?),
        };
        if collateral.all().is_empty() {
            tracing::warn!(
                "there is no collateral: every attest call will be refused until collateral comes (--collateral, --collateral-cache)"
            );
        }
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            _ => None,
        };
        let signers = self.policy_signer.iter().map(|path| PolicySigner::load(path));
        let policy_signers = signers.collect::<Result<_, _>>().context("--policy-signer")?;
        let mut acceptable = self.accept.into_iter().fold(Policy::default(), Policy::accept);
        if let Some(path) = &self.platform_policy {
            acceptable = acceptable.platform(platform_policy(path)?);
        }
        let admin = self.admin_token.as_deref().map(AdminToken::load).transpose()?;
        Ok(Config {
            listen: self.listen,
            state: self.state,
            url: self.url,
            tls,
            collateral,
            root,
            acceptable,
            policy_signers,
            admin,
            limits: Limits::default(),
            clock: Arc::new(now),
        })
    }
}

/// A clock before 1970 is read as 1970, when nothing is valid.
fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| since.as_secs()))
}

/// The log goes to standard error. Dependencies log nothing below a warning.
pub fn start_log(as_json: bool) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO);
    if as_json {
        log.json().flatten_event(true).init();
    } else {
        log.with_ansi(false).init();
    }
}
