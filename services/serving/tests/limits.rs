//! Tests of limits, with peers that are slow, many, or do not read.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use serving::{Admission, AdmissionError, BodyError, Limits, Server, ServerMetrics, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// As good as at once.
const SOON: Duration = Duration::from_millis(50);
/// As good as never.
const NEVER: Duration = Duration::from_secs(3600);
/// Bytes of an answer that fits in no socket's buffer.
const LARGE: usize = 16 << 20;

const GET: &[u8] = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let admission = Admission::new(&limits);
        let echo = |body: Body| async move {
            let received = admission.receive(body).await;
            match received.admit() {
                Ok((body, _permit)) => (StatusCode::OK, body),
                Err(AdmissionError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "busy".into()),
                Err(AdmissionError::Body(BodyError::TooLarge { .. })) => {
                    (StatusCode::PAYLOAD_TOO_LARGE, "large".into())
                }
                Err(AdmissionError::Body(BodyError::TooSlow { .. })) => {
                    (StatusCode::REQUEST_TIMEOUT, "slow".into())
                }
                Err(AdmissionError::Body(BodyError::Stalled { .. })) => {
                    (StatusCode::REQUEST_TIMEOUT, "stalled".into())
                }
                Err(AdmissionError::Body(BodyError::Broken)) => (StatusCode::BAD_REQUEST, "broken".into()),
            }
        };
        let router = Router::new()
            .route("/echo", post(echo))
            .route("/small", get(|| async { "small" }))
            .route(
                "/large",
                get(|| async { Response::new(Body::from(vec![0; LARGE])) }),
            );
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address();
        let metrics = ServerMetrics::register(&mut Registry::default());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve(Transport::Plain, router, limits, metrics, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop,
            served,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect_from(&self, address: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Ends the server, and waits until it has.
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

fn echo(length: usize, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// What comes until the server hangs up, or nothing if it does so rudely.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Sends a request, and gets as much of the answer as arrives at once.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<String> {
    stream.write_all(request).await?;
    let mut answer = vec![0; 4096];
    let size = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..size]).into_owned())
}

#[tokio::test]
async fn slow_bodies_take_no_permits() {
    let server = Running::start(|limits| {
        limits.max_requests = 1;
        limits.body_timeout = NEVER;
        limits.body_progress_timeout = NEVER;
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect().await;
        let request = echo(100, "").replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
        let answer = ask(&mut stream, request.as_bytes()).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
        slow.push(stream);
    }
    let mut honest = server.connect().await;
    let answer = ask(&mut honest, echo(2, "hi").as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn bodies_have_a_deadline_and_must_make_progress() {
    let server = Running::start(|limits| limits.body_progress_timeout = SOON).await;
    let answer = ask(&mut server.connect().await, echo(9, "x").as_bytes())
        .await
        .unwrap();
    assert!(answer.ends_with("stalled"), "{answer}");

    let server = Running::start(|limits| limits.body_timeout = SOON).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        writer.write_all(echo(1 << 20, "").as_bytes()).await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let mut answer = vec![0; 12];
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    drip.abort();
}

#[tokio::test]
async fn bodies_have_a_size() {
    let server = Running::start(|limits| limits.max_body_size = 4).await;
    for (request, end) in [
        (echo(4, "four"), "four"),
        (echo(5, ""), "large"),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n".to_owned(),
            "large",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n".to_owned(),
            "broken",
        ),
    ] {
        let answer = ask(&mut server.connect().await, request.as_bytes())
            .await
            .unwrap();
        assert!(answer.ends_with(end), "{request}: {answer}");
    }
}

#[tokio::test]
async fn who_does_not_read_loses_the_connection() {
    let server = Running::start(|limits| {
        limits.write_timeout = SOON;
        limits.shutdown_timeout = NEVER;
    })
    .await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    // The end of the server waits for all connections, and this one ends by itself.
    server.stop().await;
    let mut answer = Vec::new();
    let _ = deaf.read_to_end(&mut answer).await;
    assert!(answer.len() < LARGE, "{} bytes", answer.len());
}

#[tokio::test]
async fn who_reads_slowly_gets_everything() {
    let server = Running::start(|_| ()).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(read_all(&mut slow).await.len() > LARGE);
}

#[tokio::test]
async fn connections_have_a_lifetime() {
    let server = Running::start(|limits| limits.connection_lifetime = SOON).await;
    let mut stream = server.connect().await;
    // Each request comes in time, and still there is an end.
    while ask(&mut stream, GET).await.is_ok_and(|answer| !answer.is_empty()) {}
}

#[tokio::test]
async fn one_peer_leaves_connections_for_others() {
    let server = Running::start(|limits| {
        limits.max_connections = 3;
        limits.max_connections_per_peer = 2;
        limits.head_timeout = NEVER;
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        assert!(!ask(&mut stream, GET).await.unwrap().is_empty());
        held.push(stream);
    }
    let refused = ask(&mut server.connect().await, GET).await;
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.is_empty()));
    let mut other = server.connect_from("127.0.0.2:0").await;
    assert!(ask(&mut other, GET).await.unwrap().starts_with("HTTP/1.1 200"));
    // Who goes makes room for another.
    drop(held.pop());
    while ask(&mut server.connect().await, GET)
        .await
        .map_or(true, |answer| answer.is_empty())
    {}
}

#[tokio::test]
async fn the_end_cuts_off_who_does_not_finish() {
    let server = Running::start(|limits| limits.shutdown_timeout = SOON).await;
    let mut stream = server.connect().await;
    stream.write_all(echo(100, "x").as_bytes()).await.unwrap();
    server.stop().await;
    let answer = read_all(&mut stream).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}
