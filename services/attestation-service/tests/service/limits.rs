//! Tests of limits, with callers that are slow, many, or do not read.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

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
        .config(|config| config.limits.head_timeout = SOON)
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
        .config(|config| config.limits.max_requests = 0)
        .start()
        .await;
    let answer = service.post(SGX, "{}").await;
    answer.expect_error(503, "ServiceBusy", "try again");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(service.get("/health").await.status, 200);
}

#[tokio::test]
async fn bodies_that_do_not_come_refuse_nobody_else() {
    let service = Setup::new()
        .config(|config| {
            config.limits.max_requests = 2;
            config.limits.body_timeout = NEVER;
            config.limits.body_progress_timeout = NEVER;
        })
        .start()
        .await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = service.connect().await;
        let head = head(1000).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The service waits for the body.
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 100", "{}", String::from_utf8_lossy(&answer));
        slow.push(stream);
    }
    let quote = service.platform.quote(&report(b""));
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(service.get("/certs").await.status, 200);
}

#[tokio::test]
async fn a_body_that_stops_coming() {
    let service = Setup::new()
        .config(|config| config.limits.body_progress_timeout = SOON)
        .start()
        .await;
    let mut stream = service.connect().await;
    stream.write_all(head(100).as_bytes()).await.unwrap();
    stream.write_all(b"{").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection() {
    let service = Setup::new()
        .config(|config| config.limits.write_timeout = SOON)
        .start()
        .await;
    let mut stream = service.connect().await;
    let requests = "GET /certs HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    // The service stops to read when its answers are not read; then it hangs up.
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    while !String::from_utf8_lossy(&service.get("/metrics").await.body).contains("connections 1\n") {}
}

#[tokio::test]
async fn connections_have_a_lifetime() {
    let service = Setup::new()
        .config(|config| config.limits.connection_lifetime = SOON)
        .start()
        .await;
    let mut stream = service.connect().await;
    let mut answers = Vec::new();
    // The connection ends, although each request comes in time.
    loop {
        let request = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
        if stream.write_all(request).await.is_err() {
            break;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(size) => answers.extend_from_slice(&piece[..size]),
        }
    }
    // On a busy machine, the lifetime may have passed before the first request.
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn one_peer_leaves_connections_for_others() {
    let service = Setup::new()
        .config(|config| config.limits.max_connections_per_peer = 2)
        .start()
        .await;
    let first = service.connect().await;
    let second = service.connect().await;
    let mut third = TcpStream::connect(service.tcp()).await.unwrap();
    // Closed at once: there is nothing to read, not even a handshake.
    let refused = third.read(&mut [0; 1]).await;
    assert!(matches!(refused, Ok(0) | Err(_)), "{refused:?}");

    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = other.connect(service.tcp()).await.unwrap();
    let mut other = service.handshake(stream).await;
    other
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let _ = other.read_to_string(&mut answer).await;
    assert!(answer.contains("refused_connections_total 1"), "{answer}");
    drop((first, second));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let service = Setup::new()
        .config(|config| config.limits.max_connections = 1)
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
        .config(|config| config.limits.shutdown_timeout = NEVER)
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
    while !String::from_utf8_lossy(&service.get("/metrics").await.body).contains("connections 2\n") {}
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
        .config(|config| config.limits.shutdown_timeout = SOON)
        .start()
        .await;
    let mut stream = service.connect().await;
    stream.write_all(head(100).as_bytes()).await.unwrap();
    service.stop().await;
}
