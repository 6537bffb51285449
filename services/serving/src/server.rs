//! A server: it accepts connections within limits, serves them, and ends gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::limits::Limits;
use crate::metrics::ServerMetrics;
use crate::peers::PeerConnections;
use crate::transport::Transport;

/// Pause after a connection could not be accepted.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// A server that listens, and answers nothing yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// The address cannot be listened at: it is taken, or not one of this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {error}")]
pub struct ListenError {
    /// Where the server should have listened.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

impl Server {
    /// Begins to listen. With port 0 the system chooses a port.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listen_error = |error| ListenError { address, error };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        Ok(Self { listener, address })
    }

    /// The address where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready. Then it lets the requests that are under way end, within
    /// [`Limits::shutdown_timeout`].
    pub async fn serve(
        self,
        transport: Transport,
        router: Router,
        limits: Limits,
        metrics: ServerMetrics,
        shutdown: impl Future<Output = ()>,
    ) {
        let (ending, end) = watch::channel(());
        let connection = Connection {
            transport,
            router,
            limits,
            metrics,
            end,
        };
        tokio::select! {
            () = accept(&self.listener, &connection) => {}
            () = shutdown => {}
        }
        tracing::info!("shutting down");
        drop((self.listener, connection));
        // Nobody listens when every connection has ended already.
        let _ = ending.send(());
        if timeout(limits.shutdown_timeout, ending.closed()).await.is_err() {
            tracing::warn!("some requests did not end in time, and are cut off");
        }
    }
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, connection: &Connection) {
    let open = Arc::new(Semaphore::new(connection.limits.max_connections));
    let peers = PeerConnections::new(connection.limits.max_connections_per_peer);
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&open).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, address)) => match peers.try_open(address.ip()) {
                Some(of_peer) => {
                    let connection = connection.clone();
                    tokio::spawn(async move {
                        connection.serve(stream).await;
                        drop((of_peer, permit));
                    });
                }
                None => {
                    connection.metrics.refused_connection();
                    tracing::debug!(peer = %address.ip(), "refused a connection: the peer has too many");
                }
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Without file descriptors, trying at once would fail at once.
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}
