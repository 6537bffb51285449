//! The broker as a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use ra_tls::CollateralSource;
use serving::{Admission, Limits, ListenError, ServerMetrics};

use crate::broker::Broker;
use crate::http::{App, Clock, router};
use crate::instances::forget;
use crate::tls::{Certificates, QuoteSource, TlsError};

/// Between rounds of housekeeping.
const HOUSEKEEPING: Duration = Duration::from_secs(10 * 60);
/// Instances that are looked at in one transaction.
const PAGE: usize = 1024;

/// What a server needs.
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Names and addresses by which clients reach it, for its certificate.
    pub names: Vec<String>,
    /// Where collateral for enclaves' quotes comes from.
    pub collateral: Arc<dyn CollateralSource>,
    /// Makes the broker's own quotes, if it runs in an enclave.
    pub quotes: Option<QuoteSource>,
    /// What peers may take up.
    pub limits: Limits,
    /// Tells the time.
    pub clock: Clock,
}

/// A broker that listens and does not answer yet.
pub struct Server {
    listener: serving::Server,
    transport: serving::Transport,
    limits: Limits,
    app: Arc<App>,
}

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, or not one of this machine.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It has no certificate to show.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Server {
    /// Listens; nothing is answered yet.
    ///
    /// # Errors
    /// When the address cannot be had, or there is no certificate to show.
    pub async fn bind(broker: Broker, config: Config) -> Result<Self, StartError> {
        let listener = serving::Server::bind(config.listen).await?;
        let (mut names, mut addresses) = (Vec::new(), vec![listener.address().ip()]);
        for name in config.names {
            match name.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => names.push(name),
            }
        }
        addresses.retain(|address| !address.is_unspecified());
        let certificates = Certificates::new(names, addresses, config.quotes);
        certificates.renew(&broker, (config.clock)())?;
        let transport = certificates.server_config()?.into();
        let mut registry = Registry::default();
        let metrics = ServerMetrics::register(&mut registry);
        let app = Arc::new(App {
            broker,
            clock: config.clock,
            collateral: config.collateral,
            certificates,
            admission: Admission::new(&config.limits),
            registry,
            metrics,
        });
        Ok(Self {
            listener,
            transport,
            limits: config.limits,
            app,
        })
    }

    /// The address where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Serves until `shutdown` is ready; then lets requests end, within the limit.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let housekeeping = tokio::spawn(keep_house(Arc::clone(&self.app)));
        let metrics = self.app.metrics.clone();
        let router = router(self.app);
        self.listener
            .serve(self.transport, router, self.limits, metrics, shutdown)
            .await;
        housekeeping.abort();
    }
}

/// Renews the broker's certificate, and forgets instances that are gone.
async fn keep_house(app: Arc<App>) {
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        let now = (app.clock)();
        if let Err(error) = app.certificates.renew(&app.broker, now) {
            tracing::error!(%error, "the broker's certificate cannot be renewed");
        }
        let mut next = Some(String::new());
        while let Some(after) = next {
            let page = app
                .broker
                .work(now, move |work| Ok(forget(work.transaction, &after, PAGE, now)?));
            next = page.await.ok().flatten();
        }
    }
}
