//! `nacre broker serve`: runs a key broker.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use attestation_service::{CollateralFiles, CollateralSource};
use broker_store::{Store, Witness};
use clap::Args;
use dcap_quote::{Quote, Trust, UnixTime};
use key_broker::{Broker, Config, Limits, QuoteSource, Server};
use ra_tls::SourceError;

use super::root_key::RootKeyFlags;
use super::store::StoreFlags;
use crate::commands::attestation::{CachedCollateral, start_log};
use crate::flags::trust::TrustFlags;
use crate::{clock, output};

/// Between checks for newer collateral.
const COLLATERAL_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Seconds by which the clocks of replicas may differ.
const MAX_CLOCK_SKEW: u64 = 300;
/// Where an enclave gets its quotes.
const ATTESTATION: &str = "/dev/attestation";

/// Run a key broker
///
/// Runs until SIGTERM or SIGINT. Within an enclave it proves what it is (nacre broker trust); elsewhere it says that it cannot.
#[derive(Args, Debug)]
pub struct Serve {
    /// The address to listen on; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8444")]
    listen: SocketAddr,

    /// A name or an address by which people reach the broker, for its certificate; can be given several times
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    #[command(flatten)]
    store: StoreFlags,

    #[command(flatten)]
    root_key: RootKeyFlags,

    /// Where the store ended when it was last seen (nacre broker status): refuse one that is older
    #[arg(long, value_name = "WITNESS")]
    witness: Option<Witness>,

    /// Start even if this machine's clock is behind the last entry of the audit log
    #[arg(long)]
    accept_earlier_clock: bool,

    /// A file with collateral for one kind of platform; can be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "collateral_cache")]
    collateral: Vec<PathBuf>,

    /// The directory with the collateral, which `nacre collateral fetch` fills; newer collateral is taken up
    #[arg(long, value_name = "DIR")]
    collateral_cache: Option<PathBuf>,

    /// Write the log as JSON
    #[arg(long)]
    log_json: bool,

    #[command(flatten)]
    trust: TrustFlags,
}

impl Serve {
    pub fn run(self) -> Result<()> {
        let mut store = Store::open(self.store.open()?, &self.root_key.load()?, self.witness.as_ref())?;
        let now = clock::now()?;
        let seen = Broker::last_seen(&mut store)?.unwrap_or(now);
        // What has expired would be valid again.
        ensure!(
            self.accept_earlier_clock || now.0.saturating_add(MAX_CLOCK_SKEW) >= seen.0,
            "the clock says {now}, and the audit log has an entry of {seen}; set the clock, or, if it was wrong then, use \
             --accept-earlier-clock"
        );
        start_log(self.log_json);
        let root = self.trust.root()?;
        let collateral: Arc<dyn CollateralSource> = match &self.collateral_cache {
            Some(directory) => Arc::new(CachedCollateral::open(directory, &root)?),
            None => Arc::new(CollateralFiles::load(self.collateral.clone(), root.clone())?),
        };
        if collateral.all().is_empty() {
            tracing::warn!(
                "there is no collateral: no enclave can be verified until collateral comes (--collateral, --collateral-cache)"
            );
        }
        if root.trust() == Trust::Simulated {
            tracing::warn!("SIMULATED PLATFORM: what enclaves prove to this broker protects nothing");
        }
        let quotes = quotes();
        if quotes.is_none() {
            tracing::warn!(
                "this broker does not run in an enclave: whoever rules this machine can read every secret"
            );
        }
        let reason = match &self.witness {
            Some(witness) => format!("the store goes on from the witness {witness}"),
            None => {
                tracing::warn!(
                    "no witness was given: if somebody has put an old copy of the store in its place, nobody can tell"
                );
                "without a witness: whether the store is the newest is not known".to_owned()
            }
        };
        let broker = Broker::start(store, &reason, now)?;
        let source = Arc::clone(&collateral);
        let config = Config {
            listen: self.listen,
            names: self.name,
            collateral: Arc::new(move |quote: &Quote<'_>| find(source.as_ref(), quote)),
            quotes,
            limits: Limits::default(),
            clock: Arc::new(never_back(now)),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let end = key_broker::termination()?;
            let server = Server::bind(broker, config).await?;
            tokio::spawn(keep_collateral(collateral));
            // The broker runs even if nobody reads its output.
            let _ = output::line(format_args!("serving at https://{}", server.address()));
            let _ = io::stdout().flush();
            server.serve(end).await;
            Ok(())
        })
    }
}

/// This machine's clock, which is its host's: it never goes back.
fn never_back(start: UnixTime) -> impl Fn() -> UnixTime + Send + Sync {
    let latest = AtomicU64::new(start.0);
    move || {
        let now = clock::now().map_or(0, |now| now.0);
        UnixTime(latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

fn find(
    source: &dyn CollateralSource,
    quote: &Quote<'_>,
) -> Result<Arc<dcap_quote::CheckedCollateral>, SourceError> {
    let platform = quote.claimed_platform()?;
    let ca = quote.claimed_pck_ca()?;
    let tee = quote.header.tee;
    let found = source.find(tee, platform.fmspc, ca);
    let found = found.ok_or_else(|| format!("none for FMSPC {}", platform.fmspc))?;
    Ok(Arc::clone(&found.checked))
}

/// Quotes of this enclave; none elsewhere.
fn quotes() -> Option<QuoteSource> {
    let directory = Path::new(ATTESTATION);
    directory.join("quote").exists().then(|| {
        let quote = move |report_data: &[u8; 64]| {
            fs::write(directory.join("user_report_data"), report_data)?;
            fs::read(directory.join("quote"))
        };
        Box::new(quote) as QuoteSource
    })
}

async fn keep_collateral(source: Arc<dyn CollateralSource>) {
    loop {
        tokio::time::sleep(COLLATERAL_CHECK_INTERVAL).await;
        let task = Arc::clone(&source);
        let refreshed = tokio::task::spawn_blocking(move || task.refresh()).await;
        let refreshed = refreshed
            .context("the check ended")
            .and_then(|refreshed| refreshed.map_err(|error| anyhow::anyhow!("{error}")));
        match refreshed {
            Ok(true) => tracing::info!("newer collateral is in use"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "newer collateral cannot be used; the old one stays in use")
            }
        }
    }
}
