//! Connections: accepted, encrypted, served, and ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use dcap_quote::Trust;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::http::{App, router};
use crate::metrics::Metrics;
use crate::service::{Service, ServiceError, Settings};
use crate::store::{Store, StoreError};
use crate::tls::{TlsError, TlsFiles};

/// A service that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    certificate: PathBuf,
    pub(crate) app: Arc<App>,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, or not one of this machine.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The state.
    #[error("{0}")]
    State(String),
    /// The certificate.
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
        let listener = TcpListener::bind(config.listen).await;
        let address = listener
            .as_ref()
            .map_or(Ok(config.listen), TcpListener::local_addr);
        let (listener, address) = match (listener, address) {
            (Ok(listener), Ok(address)) => (listener, address),
            (Err(error), _) | (_, Err(error)) => {
                return Err(StartError::Listen {
                    address: config.listen,
                    error,
                });
            }
        };
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
            room: Semaphore::new(config.limits.requests),
            limits: config.limits,
        });
        Ok(Self {
            listener,
            address,
            acceptor: TlsAcceptor::from(tls),
            certificate,
            app,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who the tokens say has issued them.
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
        let limits = self.app.limits;
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(limits.connections));
        let router = router(Arc::clone(&self.app));
        let accept = async {
            loop {
                // Never closed.
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                    return;
                };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let connection = Connection {
                            acceptor: self.acceptor.clone(),
                            router: router.clone(),
                            app: Arc::clone(&self.app),
                            watcher: graceful.watcher(),
                        };
                        tokio::spawn(async move {
                            connection.serve(stream).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        // Without file descriptors, trying at once would fail at once.
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = shutdown => {}
        }
        tracing::info!("shutting down");
        drop(self.listener);
        if timeout(limits.shutdown, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time, and are cut off");
        }
    }
}

/// What serves one connection.
struct Connection {
    acceptor: TlsAcceptor,
    router: Router,
    app: Arc<App>,
    watcher: Watcher,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        let limits = self.app.limits;
        // Small answers are not held back; without it they are only later.
        let _ = stream.set_nodelay(true);
        let Ok(Ok(stream)) = timeout(limits.handshake_timeout, self.acceptor.accept(stream)).await else {
            tracing::debug!("TLS did not come about");
            return;
        };
        let _open = Open::new(&self.app.metrics);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle_timeout)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}

/// Counts a connection while it is there.
struct Open<'a>(&'a Metrics);

impl<'a> Open<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
