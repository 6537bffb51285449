//! Serving a cluster: version 4 of the provisioning certification service, from the directory.
//!
//! It reads nothing but a request line and headers, and bounds both, the time for them and the number of connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dcap_quote::UnixTime;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use pcs::{Request, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::cache_dir::CacheDir;

/// Connections at a time; the rest wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// For the handshake, and for each request's header.
const PATIENCE: Duration = Duration::from_secs(10);
/// For all requests of a connection.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
/// For requests under way when the server is to end.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bytes of a request's header.
const MAX_HEADER: usize = 16 << 10;

/// How clients are spoken with.
pub enum Transport {
    /// TLS.
    Tls(TlsAcceptor),
    /// No TLS. Whoever is on the way can withhold and play back what is old, but cannot forge.
    Plain,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Certificate and key do not make a TLS server.
    #[error("the TLS certificate or its key cannot be used: {0}")]
    Tls(String),
    /// Threads, signals or the like cannot be had.
    #[error("cannot begin to serve: {0}")]
    Runtime(#[source] io::Error),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

impl Transport {
    /// TLS with a chain of certificates and a key, both as PEM.
    ///
    /// # Errors
    /// When they are not that, or do not belong together.
    pub fn tls(chain: &[u8], key: &[u8]) -> Result<Self, ServerError> {
        let wrong = |error: &dyn std::fmt::Display| ServerError::Tls(error.to_string());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong(&error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| wrong(&error))?;
        Ok(Self::Tls(TlsAcceptor::from(Arc::new(config))))
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    transport: Transport,
    state: Arc<State>,
}

/// What the server has from the machine that it runs on.
pub struct Surroundings {
    /// Tells the time.
    pub clock: Box<dyn Fn() -> UnixTime + Send + Sync>,
    /// Gets a line for each request that was not answered.
    pub log: Box<dyn Fn(&str) + Send + Sync>,
}

struct State {
    cache: CacheDir,
    surroundings: Surroundings,
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// When that address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        transport: Transport,
        cache: CacheDir,
        surroundings: Surroundings,
    ) -> Result<Self, ServerError> {
        let listener = TcpListener::bind(address).await;
        Ok(Self {
            listener: listener.map_err(|error| ServerError::Listen { address, error })?,
            transport,
            state: Arc::new(State { cache, surroundings }),
        })
    }

    /// Listens and serves until this process is asked to end (SIGINT, SIGTERM); `listening` is told where.
    ///
    /// # Errors
    /// When the address cannot be had, or the machine has no threads or signals for it.
    pub fn serve_until_signalled(
        address: SocketAddr,
        transport: Transport,
        cache: CacheDir,
        surroundings: Surroundings,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<(), ServerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(ServerError::Runtime)?.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Runtime)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Runtime)?;
            let server = Self::bind(address, transport, cache, surroundings).await?;
            listening(server.local_address().map_err(ServerError::Runtime)?);
            let end = async {
                tokio::select! {
                    _ = terminate.recv() => (),
                    _ = interrupt.recv() => (),
                }
            };
            server.run(end).await;
            Ok(())
        })
    }

    /// Where it listens: with the port that it got, when it asked for none.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `end`, and lets requests that are under way come to their end.
    pub async fn run(self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut end => break,
            };
            let Ok((stream, _)) = accepted else {
                // Out of descriptors, for instance: it gets better when connections end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (state, watcher) = (Arc::clone(&self.state), graceful.watcher());
            let transport = match &self.transport {
                Transport::Tls(acceptor) => Transport::Tls(acceptor.clone()),
                Transport::Plain => Transport::Plain,
            };
            tokio::spawn(async move {
                let _permit = permit;
                let connection = connection(stream, transport, state, watcher);
                let _ = timeout(CONNECTION_LIFETIME, connection).await;
            });
        }
        drop(self.listener);
        let _ = timeout(FAREWELL, graceful.shutdown()).await;
    }
}

async fn connection(stream: TcpStream, transport: Transport, state: Arc<State>, watcher: Watcher) {
    match transport {
        Transport::Plain => requests(stream, state, watcher).await,
        Transport::Tls(acceptor) => {
            // A client that does not get that far is its own to blame.
            if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                requests(stream, state, watcher).await;
            }
        }
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<State>,
    watcher: Watcher,
) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEADER);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    // What goes wrong on a connection concerns its client.
    let _ = watcher.watch(connection).await;
}

async fn answer(
    request: hyper::Request<Incoming>,
    state: Arc<State>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let request_id = request_id();
    let response = match *request.method() {
        Method::GET | Method::HEAD => {
            let uri = request.uri();
            let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
            let worker = Arc::clone(&state);
            // Files and signatures would keep others waiting.
            let task = tokio::task::spawn_blocking(move || respond(&worker, &path, &query));
            task.await
                .unwrap_or_else(|_| Response::refusal(500, "something went wrong here"))
        }
        _ => Response::refusal(405, "only GET is answered here"),
    };
    if response.status != 200 {
        let reason = String::from_utf8_lossy(&response.body);
        (state.surroundings.log)(&format!(
            "{} {} {}: {}",
            request_id,
            response.status,
            request.uri(),
            reason.trim_end()
        ));
    }
    Ok(to_http(response.with_request_id(&request_id)))
}

fn respond(state: &State, path: &str, query: &str) -> Response {
    let request = match Request::parse(path, query) {
        Ok(request) => request,
        Err(error @ pcs::RequestError::Path) => return Response::refusal(404, &error.to_string()),
        Err(error) => return Response::refusal(400, &error.to_string()),
    };
    match state.cache.answer(&request, (state.surroundings.clock)()) {
        Ok(response) => response,
        Err(error) => {
            if let crate::AnswerError::Cache(cause) = &error {
                (state.surroundings.log)(&cause.to_string());
            }
            Response::refusal(error.status(), &error.to_string())
        }
    }
}

fn to_http(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    // Our own headers are all well-formed.
    builder
        .body(Full::new(response.body.into()))
        .unwrap_or_else(|_| hyper::Response::new(Full::default()))
}

/// By which a request is found in logs; nobody has to be kept from guessing it.
fn request_id() -> String {
    let mut id = [0; 8];
    // Without randomness the name is the same each time, and serves less well.
    let _ = aws_lc_rs::rand::fill(&mut id);
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
