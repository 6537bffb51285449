//! A service as a program: signals, files that change, keys that grow old.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dcap_quote::Trust;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::collateral::CollateralFiles;
use crate::config::Config;
use crate::http::App;
use crate::server::{Server, StartError};

/// Between looks at the collateral's files.
const LOOK: Duration = Duration::from_secs(30);
/// Between looks at the keys' ages.
const MAINTENANCE: Duration = Duration::from_secs(60 * 60);

/// Runs a service until SIGTERM or SIGINT; reads the collateral again on SIGHUP and when its files change.
///
/// `started` is told once it listens.
///
/// # Errors
/// When it cannot start.
pub fn run(config: Config, started: impl FnOnce(&Server)) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::System)?;
    runtime.block_on(async {
        let signals = Signals::new().map_err(StartError::System)?;
        let server = Server::bind(config).await?;
        if server.app.service.settings.trust == Trust::Simulated {
            tracing::warn!("SIMULATED PLATFORM: tokens of this service protect nothing");
        }
        tracing::info!(
            address = %server.address(),
            issuer = server.issuer(),
            certificate = %server.certificate().display(),
            "listening"
        );
        let Signals { reload, end } = signals;
        tokio::spawn(keep_collateral(server.collateral(), reload));
        tokio::spawn(keep_keys(Arc::clone(&server.app)));
        started(&server);
        server.serve(end).await;
        Ok(())
    })
}

struct Signals<E> {
    reload: Signal,
    end: E,
}

impl Signals<()> {
    fn new() -> std::io::Result<Signals<impl Future<Output = ()>>> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals {
            reload: signal(SignalKind::hangup())?,
            end: async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            },
        })
    }
}

async fn keep_collateral(files: Arc<CollateralFiles>, mut hangup: Signal) {
    let stamps = |files: &CollateralFiles| files.paths().iter().map(|path| stamp(path)).collect::<Vec<_>>();
    let mut seen = stamps(&files);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            _ = look.tick() => false,
            _ = hangup.recv() => true,
        };
        let now = stamps(&files);
        if !is_asked && now == seen {
            continue;
        }
        seen = now;
        let task = Arc::clone(&files);
        match tokio::task::spawn_blocking(move || task.reload()).await {
            Ok(Ok(())) => tracing::info!("collateral read again"),
            Ok(Err(error)) => {
                tracing::error!(%error, "collateral could not be read again; the old one stays in use")
            }
            Err(error) => {
                tracing::error!(%error, "collateral could not be read again; the old one stays in use")
            }
        }
    }
}

/// When a file was changed, as far as it tells.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

async fn keep_keys(app: Arc<App>) {
    let mut due = interval(MAINTENANCE);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let task = Arc::clone(&app);
        let done = tokio::task::spawn_blocking(move || task.service.maintain((task.clock)())).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the signing keys could not be renewed"),
            Err(error) => tracing::error!(%error, "the signing keys could not be renewed"),
        }
    }
}
