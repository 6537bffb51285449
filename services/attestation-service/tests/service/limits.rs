//! Callers that are slow, many or silent.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{SGX, Setup, attest_body, report};

/// As good as at once.
const SOON: Duration = Duration::from_millis(50);
/// As good as never.
const NEVER: Duration = Duration::from_secs(3600);

fn head(length: usize) -> String {
    format!(
        "POST {SGX} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_does_not_come() {
    let service = Setup::new()
        .config(|config| config.limits.body_timeout = SOON)
        .start()
        .await;
    let mut stream = service.connect().await;
    stream.write_all(head(100).as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_head_that_does_not_come() {
    let service = Setup::new()
        .config(|config| config.limits.idle_timeout = SOON)
        .start()
        .await;
    let send = async |request: &[u8]| {
        let mut stream = service.connect().await;
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        // The end comes, with or without a word.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    for beginning in ["", "GET /certs HTTP/1.1\r\nhos"] {
        let answer = send(beginning.as_bytes()).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{beginning:?}");
    }
    // Also after a request that was in time, as on a busy machine not each is.
    while !send(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .starts_with(b"HTTP/1.1 200")
    {}
}

#[tokio::test]
async fn a_handshake_that_does_not_come() {
    let service = Setup::new()
        .config(|config| config.limits.handshake_timeout = SOON)
        .start()
        .await;
    let mut stream = TcpStream::connect(service.tcp()).await.unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn heads_have_bounds() {
    let service = Setup::new().start().await;
    let mut stream = service.connect().await;
    let endless = format!("GET /certs HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(200_000));
    let _ = stream.write_all(endless.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn too_many_requests_are_told_to_come_back() {
    let service = Setup::new()
        .config(|config| config.limits.requests = 0)
        .start()
        .await;
    let answer = service.post(SGX, "{}").await;
    answer.expect_error(503, "ServiceBusy", "try again");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(service.get("/health").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let service = Setup::new()
        .config(|config| config.limits.connections = 1)
        .start()
        .await;
    let mut first = service.connect().await;
    let second = tokio::spawn(async move {
        let answer = service.get("/certs").await;
        (service, answer.status)
    });
    first
        .write_all(b"GET /certs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = first.read_to_end(&mut answer).await;
    assert!(!second.is_finished() && answer.starts_with(b"HTTP/1.1 200"));
    drop(first);
    assert_eq!(second.await.unwrap().1, 200);
}

#[tokio::test]
async fn a_request_is_finished_before_the_end() {
    let service = Setup::new()
        .config(|config| config.limits.shutdown = NEVER)
        .start()
        .await;
    let quote = service.platform.quote(&report(b""));
    let body = attest_body(&quote, None).to_string();
    let mut stream = service.connect().await;
    stream.write_all(head(body.len()).as_bytes()).await.unwrap();
    let (half, rest) = body.split_at(body.len() / 2);
    stream.write_all(half.as_bytes()).await.unwrap();
    // So that the service has begun with it.
    let address = service.tcp();
    while !String::from_utf8_lossy(&service.get("/metrics").await.body).contains("connections 2") {}
    let stopping = tokio::spawn(service.stop());
    // Nobody is let in any more.
    while TcpStream::connect(address).await.is_ok() {}
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    stopping.await.unwrap();
}

#[tokio::test]
async fn who_does_not_finish_is_cut_off_in_the_end() {
    let service = Setup::new()
        .config(|config| config.limits.shutdown = SOON)
        .start()
        .await;
    let mut stream = service.connect().await;
    stream.write_all(head(100).as_bytes()).await.unwrap();
    service.stop().await;
}
