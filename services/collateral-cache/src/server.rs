//! Serves the directory to a cluster, as version 4 of Intel's provisioning certification service.
//!
//! It reads the line and the header of requests, and no bodies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request};
use axum::routing::get;
use axum::{Router, http};
use dcap_quote::UnixTime;
use pcs::Response;
use prometheus_client::registry::Registry;
use serving::{
    Admission, Limits, ListenError, ServerMetrics, Transport, metrics_response, operator_routes, request_id,
};
use tokio::task::spawn_blocking;

use crate::cache_dir::CacheDir;

/// The health of the server once more, at the path where Intel's caching service has it.
const HEALTHZ: &str = "/healthz";
/// What answered requests are counted as, but for the operator's.
const PCS_ROUTE: &str = "/sgx/certification/v4";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be listened at.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system gives no threads or signals.
    #[error("cannot begin to serve: {0}")]
    System(#[source] std::io::Error),
}

/// How the server is set up.
pub struct ServerConfig {
    /// Where it listens; with port 0 the system chooses one.
    pub listen: SocketAddr,
    /// TLS, or not. Without TLS, whoever is on the way can withhold and play back what is old, but
    /// cannot forge.
    pub transport: Transport,
    /// What clients can take up; [`Server::limits`] fits most.
    pub limits: Limits,
    /// Tells the time.
    pub clock: Box<dyn Fn() -> UnixTime + Send + Sync>,
    /// Gets a line for each request that was not answered.
    pub log: Box<dyn Fn(&str) + Send + Sync>,
}

/// A server that listens, and answers nothing yet.
pub struct Server {
    listener: serving::Server,
    transport: Transport,
    limits: Limits,
    app: Arc<App>,
}

/// The state that handlers share.
struct App {
    cache: CacheDir,
    clock: Box<dyn Fn() -> UnixTime + Send + Sync>,
    log: Box<dyn Fn(&str) + Send + Sync>,
    admission: Admission,
    metrics: ServerMetrics,
    registry: Registry,
}

impl Server {
    /// Limits for a cluster: short heads, no bodies, and few clients that keep their connections.
    #[must_use]
    pub fn limits() -> Limits {
        Limits {
            max_connections: 256,
            max_connections_per_peer: 64,
            max_requests: 128,
            max_head_size: 16 << 10,
            max_body_size: 0,
            head_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(5),
            ..Limits::default()
        }
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(cache: CacheDir, config: ServerConfig) -> Result<Self, ServerError> {
        let mut registry = Registry::with_prefix("nacre_collateral");
        Ok(Self {
            listener: serving::Server::bind(config.listen).await?,
            transport: config.transport,
            limits: config.limits,
            app: Arc::new(App {
                cache,
                clock: config.clock,
                log: config.log,
                admission: Admission::new(&config.limits),
                metrics: ServerMetrics::register(&mut registry),
                registry,
            }),
        })
    }

    /// Listens and serves until this process is asked to end (SIGINT, SIGTERM); `listening` is told
    /// the address.
    ///
    /// # Errors
    /// When the address cannot be had, or the system gives no threads or signals.
    pub fn serve_until_signalled(
        cache: CacheDir,
        config: ServerConfig,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<(), ServerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(ServerError::System)?.block_on(async {
            let end = serving::termination().map_err(ServerError::System)?;
            let server = Self::bind(cache, config).await?;
            listening(server.address());
            server.serve(end).await;
            Ok(())
        })
    }

    /// The address where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Serves until `shutdown` is ready; then lets requests that are under way end.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let metrics = self.app.metrics.clone();
        let router = router(self.app);
        self.listener
            .serve(self.transport, router, self.limits, metrics, shutdown)
            .await;
    }
}

fn router(app: Arc<App>) -> Router {
    operator_routes(get(health), get(metrics))
        .route(HEALTHZ, get(health))
        .fallback(certification)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

/// Answers a request as the provisioning certification service does.
async fn certification(State(app): State<Arc<App>>, request: Request<Body>) -> http::Response<Body> {
    let response = match *request.method() {
        Method::GET | Method::HEAD => match app.admission.admit() {
            Ok(_permit) => {
                let uri = request.uri().clone();
                let answer = move |app: &App| respond(app, uri.path(), uri.query().unwrap_or_default());
                blocking(&app, answer).await
            }
            Err(error) => Response::text(503, &error.to_string()),
        },
        _ => not_get(),
    };
    finish(&app, request.uri(), PCS_ROUTE, response)
}

/// Whether everything in the directory can be served.
async fn health(State(app): State<Arc<App>>, uri: http::Uri) -> http::Response<Body> {
    let response = blocking(&app, check_health).await;
    finish(&app, &uri, "/health", response)
}

async fn metrics(State(app): State<Arc<App>>) -> http::Response<Body> {
    metrics_response(&app.registry)
}

async fn method_not_allowed(State(app): State<Arc<App>>, uri: http::Uri) -> http::Response<Body> {
    finish(&app, &uri, "other", not_get())
}

fn not_get() -> Response {
    let mut response = Response::text(405, "only GET and HEAD are answered here");
    response
        .headers
        .push(("Allow".to_owned(), "GET, HEAD".to_owned()));
    response
}

/// Runs what reads files and verifies signatures on another thread: others would have to wait.
async fn blocking(app: &Arc<App>, answer: impl FnOnce(&App) -> Response + Send + 'static) -> Response {
    let app = Arc::clone(app);
    let task = spawn_blocking(move || answer(&app));
    task.await
        .unwrap_or_else(|_| Response::text(500, "something went wrong here"))
}

/// Gives an answer its identifier, counts it, and logs it if it is a refusal.
fn finish(app: &App, uri: &http::Uri, route: &str, response: Response) -> http::Response<Body> {
    let id = request_id::<8>();
    if response.status != 200 {
        let reason = String::from_utf8_lossy(&response.body);
        (app.log)(&format!("{id} {} {uri}: {}", response.status, reason.trim_end()));
    }
    app.metrics.answered(route, response.status);
    to_http(response.with_request_id(&id))
}

fn respond(app: &App, path: &str, query: &str) -> Response {
    let request = match pcs::Request::parse(path, query) {
        Ok(request) => request,
        Err(error @ pcs::RequestError::Path) => return Response::text(404, &error.to_string()),
        Err(error) => return Response::text(400, &error.to_string()),
    };
    match app.cache.answer(&request, (app.clock)()) {
        Ok(response) => response,
        Err(error) => {
            if let crate::AnswerError::Cache(cause) = &error {
                (app.log)(&cause.to_string());
            }
            Response::text(error.status(), &error.to_string())
        }
    }
}

fn check_health(app: &App) -> Response {
    match app.cache.status((app.clock)()) {
        Ok(status) if status.is_good(Duration::ZERO) => Response::text(200, "everything here is valid"),
        Ok(_) => Response::text(
            503,
            "something here has expired or was damaged: nacre collateral status",
        ),
        Err(error) => {
            (app.log)(&error.to_string());
            Response::text(503, "this cache cannot be read")
        }
    }
}

fn to_http(response: Response) -> http::Response<Body> {
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    // Our own headers are all well-formed.
    builder.body(response.body.into()).unwrap_or_default()
}
