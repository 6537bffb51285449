//! One connection, from the handshake to its end.

use std::pin::pin;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_io_timeout::TimeoutWriter;

use crate::limits::Limits;
use crate::metrics::ServerMetrics;
use crate::transport::{PeerCertificate, Transport};

/// What serves a connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) metrics: ServerMetrics,
    /// Changes when the server is to end.
    pub(crate) end: watch::Receiver<()>,
}

impl Connection {
    /// Serves it to its end.
    pub(crate) async fn serve(mut self, stream: TcpStream) {
        let deadline = Instant::now().checked_add(self.limits.connection_lifetime);
        let write_timeout = Some(self.limits.write_timeout);
        // Small answers are not held back; without it they are only later.
        let _ = stream.set_nodelay(true);
        // What is unsent when the connection ends stays with the kernel; so it must have an end
        // there, too. Where the system does not know the option, it has another.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(write_timeout);
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(write_timeout);
        let stream = Box::pin(stream);
        match self.transport.clone() {
            Transport::Plain => self.serve_requests(stream, deadline).await,
            Transport::Tls(acceptor) => {
                let handshake = timeout(self.limits.handshake_timeout, acceptor.accept(stream));
                let accepted = tokio::select! {
                    accepted = handshake => accepted,
                    _ = self.end.changed() => return,
                };
                match accepted {
                    Ok(Ok(stream)) => {
                        let peer = PeerCertificate::of(stream.get_ref().1);
                        self.router = self.router.layer(Extension(peer));
                        self.serve_requests(stream, deadline).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake did not end in time"),
                }
            }
        }
    }

    /// Serves requests until the peer, the deadline or the server ends the connection.
    async fn serve_requests<S>(mut self, stream: S, deadline: Option<Instant>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let _open = self.metrics.open_connection();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_buf_size(self.limits.max_head_size)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let mut connection = pin!(connection);
        let deadline_passed = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                // Further away than a clock can say.
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            result = connection.as_mut() => Some(result),
            () = deadline_passed => None,
            _ = self.end.changed() => None,
        };
        let ended = match ended {
            Some(result) => Ok(result),
            None => {
                connection.as_mut().graceful_shutdown();
                timeout(self.limits.shutdown_timeout, connection).await
            }
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection broke off"),
            Err(_) => tracing::debug!("a connection did not end in time, and is cut off"),
        }
    }
}
