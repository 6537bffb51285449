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
use crate::output;

/// Serve the protocol of Microsoft Azure Attestation: quotes in, signed tokens out
///
/// Runs until SIGTERM or SIGINT. Newer collateral is taken within half a minute, or on SIGHUP. Health is at
/// /health, numbers (OpenMetrics) at /metrics.
#[derive(Args, Debug)]
pub struct Serve {
    /// Where to listen; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// Where to keep keys, policies and the certificate; made if it is not there
    #[arg(long, value_name = "DIRECTORY")]
    state: PathBuf,

    /// How clients reach the service, if not by the address where it listens; the issuer of its tokens
    #[arg(long, value_name = "https://HOST[:PORT]")]
    url: Option<Url>,

    /// Collateral to verify quotes with, one kind of platform a file
    #[arg(long, value_name = "FILE", conflicts_with = "collateral_cache")]
    collateral: Vec<PathBuf>,

    /// The directory to take collateral from, as `nacre collateral fetch` fills it; newer collateral is taken as it comes
    #[arg(long, value_name = "DIR")]
    collateral_cache: Option<PathBuf>,

    /// Certificate chain (PEM); without, the service makes one for its addresses and leaves it at DIRECTORY/tls.pem
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Make tokens for platforms of this TCB status too, for instance `SWHardeningNeeded`; UpToDate always is, Revoked never
    #[arg(long, value_name = "STATUS")]
    accept: Vec<TcbStatus>,

    /// File with the secret that callers must send as a bearer token to see and change policies
    #[arg(long, value_name = "FILE")]
    admin_token: Option<PathBuf>,

    /// Certificate (PEM) whose owner may change policies; from then on, changes must be signed
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
            // A service whose output nobody reads serves all the same.
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
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            _ => None,
        };
        let signers = self.policy_signer.iter().map(|path| PolicySigner::load(path));
        let policy_signers = signers.collect::<Result<_, _>>().context("--policy-signer")?;
        let admin = self.admin_token.as_deref().map(AdminToken::load).transpose()?;
        Ok(Config {
            listen: self.listen,
            state: self.state,
            url: self.url,
            tls,
            collateral,
            root,
            acceptable: self.accept.into_iter().fold(Policy::default(), Policy::accept),
            policy_signers,
            admin,
            limits: Limits::default(),
            clock: Arc::new(now),
        })
    }
}

/// A clock before 1970 makes everything invalid, which is what it is.
fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| since.as_secs()))
}

/// To standard error; nothing of dependencies below a warning.
fn start_log(as_json: bool) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO);
    if as_json {
        log.json().flatten_event(true).init();
    } else {
        log.with_ansi(false).init();
    }
}
