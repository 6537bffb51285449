//! The service as a server: it opens everything that it needs, then listens and answers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use dcap_quote::Trust;
use serving::{Admission, Limits, ListenError, Transport};

use crate::config::Config;
use crate::http::{App, router};
use crate::metrics::Metrics;
use crate::service::{Service, ServiceError, Settings};
use crate::store::{Store, StoreError};
use crate::tls::{TlsError, TlsFiles};

/// A service that listens and does not answer yet.
pub struct Server {
    listener: serving::Server,
    transport: Transport,
    limits: Limits,
    certificate: PathBuf,
    pub(crate) app: Arc<App>,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, or not one of this machine.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The state cannot be opened, or belongs to another trust.
    #[error("{0}")]
    State(String),
    /// There is no certificate to show.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no threads or signals.
    #[error("cannot start: {0}")]
    System(std::io::Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::State(error.to_string())
    }
}

impl From<ServiceError> for StartError {
    fn from(error: ServiceError) -> Self {
        Self::State(error.to_string())
    }
}

impl Server {
    /// Opens everything that the service needs; nothing is answered yet.
    ///
    /// # Errors
    /// With the first thing that cannot be used.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let now = (config.clock)();
        let trust = match config.root.trust() {
            Trust::Intel => "Intel".to_owned(),
            Trust::Simulated => format!("a simulated platform with the root {}", config.root.fingerprint()),
        };
        let store = Store::open(&config.state, &trust)?;
        let listener = serving::Server::bind(config.listen).await?;
        let address = listener.address();
        let own = TlsFiles::own(&config.state);
        let (files, tls) = match &config.tls {
            Some(given) => (given, given.load(now)?),
            None => (&own, own.load_or_make(&config.names(address), now)?),
        };
        let certificate = files.certificate.clone();
        let settings = Settings {
            issuer: config.issuer(address),
            trust: config.root.trust(),
            acceptable: config.acceptable,
            policy_signers: config.policy_signers.into_iter().map(|signer| signer.0).collect(),
        };
        let app = Arc::new(App {
            service: Service::new(settings, config.collateral, store, now)?,
            clock: config.clock,
            admin: config.admin,
            metrics: Metrics::new(),
            admission: Admission::new(&config.limits),
        });
        Ok(Self {
            listener,
            transport: tls.into(),
            limits: config.limits,
            certificate,
            app,
        })
    }

    /// The address where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The issuer of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.app.service.settings.issuer
    }

    /// The file with the certificate that it shows.
    #[must_use]
    pub const fn certificate(&self) -> &PathBuf {
        &self.certificate
    }

    /// Serves until `shutdown` is ready; then lets requests end, within the limit.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let metrics = self.app.metrics.server.clone();
        let (router, limits) = (router(Arc::clone(&self.app)), self.limits);
        self.listener
            .serve(self.transport, router, limits, metrics, shutdown)
            .await;
    }
}
