//! The service as a program: signals, reloading of collateral, rotation of keys.

use std::sync::Arc;
use std::time::Duration;

use dcap_quote::Trust;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::Config;
use crate::http::App;
use crate::server::{Server, StartError};

/// Between checks for newer collateral.
const COLLATERAL_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Between checks of the keys' ages and the collateral's dates.
const KEY_CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How long before its end an expiry is logged; Intel's collateral is valid for thirty days.
const EXPIRY_WARNING: Duration = Duration::from_secs(10 * 24 * 60 * 60);

/// Runs a service until SIGTERM or SIGINT; looks for newer collateral on SIGHUP and twice a minute.
///
/// `started` is told once it listens.
///
/// # Errors
/// When it cannot start.
pub fn run(config: Config, started: impl FnOnce(&Server)) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::System)?;
    runtime.block_on(async {
        let end = serving::termination().map_err(StartError::System)?;
        let reload = serving::hangup().map_err(StartError::System)?;
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
        tokio::spawn(keep_collateral(Arc::clone(&server.app), reload));
        tokio::spawn(keep_keys(Arc::clone(&server.app)));
        started(&server);
        server.serve(end).await;
        Ok(())
    })
}

async fn keep_collateral(app: Arc<App>, mut hangup: Signal) {
    let mut check = ticks(COLLATERAL_CHECK_INTERVAL);
    loop {
        tokio::select! {
            _ = check.tick() => {}
            _ = hangup.recv() => {}
        }
        let source = Arc::clone(&app.service.source);
        match spawn_blocking(move || source.refresh()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                tracing::info!("newer collateral is in use");
                warn_of_expiry(&app);
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "newer collateral cannot be used; the old one stays in use")
            }
            Err(error) => {
                tracing::error!(%error, "newer collateral cannot be used; the old one stays in use")
            }
        }
    }
}

/// Says what has expired, and what will before anybody is back from a holiday.
fn warn_of_expiry(app: &App) {
    let now = (app.clock)();
    for endorsements in app.service.source.all() {
        let checked = &endorsements.checked;
        let validity = checked.validity();
        let (tee, fmspc) = (checked.tee(), checked.fmspc());
        if !validity.contains(now) {
            tracing::error!(%tee, %fmspc, from = %validity.from, until = %validity.until, "collateral is not valid: quotes are refused");
        } else if validity.until.0 < now.0.saturating_add(EXPIRY_WARNING.as_secs()) {
            tracing::warn!(%tee, %fmspc, until = %validity.until, "collateral expires soon");
        }
    }
}

async fn keep_keys(app: Arc<App>) {
    let mut due = ticks(KEY_CHECK_INTERVAL);
    loop {
        due.tick().await;
        warn_of_expiry(&app);
        let task = Arc::clone(&app);
        let done = spawn_blocking(move || task.service.maintain((task.clock)())).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the signing keys could not be renewed"),
            Err(error) => tracing::error!(%error, "the signing keys could not be renewed"),
        }
    }
}

/// At once, and then so often.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
