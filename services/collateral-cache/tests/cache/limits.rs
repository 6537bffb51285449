//! Tests of limits, with clients that are slow, many, or do not read.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use collateral_cache::{Limits, Server, Shelf, Transport};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::network::Running;
use crate::support::{NOW, cache, collateral};

/// As good as at once.
const SOON: Duration = Duration::from_millis(50);
/// As good as never.
const NEVER: Duration = Duration::from_secs(3600);

const GET: &str = "GET /sgx/certification/v4/rootcacrl HTTP/1.1\r\nHost: x\r\n";

fn server(change: impl FnOnce(&mut Limits)) -> (TempDir, Running) {
    let (folder, served) = cache();
    served.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let mut limits = Server::limits();
    change(&mut limits);
    let running = Running::start_with_limits(&served, Transport::Plain, NOW, limits);
    (folder, running)
}

/// What a peer at another address of this machine gets.
fn ask_from(address: Ipv4Addr, server: SocketAddr) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        let mut stream = socket.connect(server).await.unwrap();
        let request = format!("{GET}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    })
}

#[test]
fn one_peer_with_slow_heads_leaves_connections_for_others() {
    let (_folder, running) = server(|limits| {
        limits.max_connections = 8;
        limits.max_connections_per_peer = 4;
        limits.head_timeout = NEVER;
    });
    let slow: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(running.address()).unwrap();
            // The server has hung up on those beyond the limit.
            let _ = stream.write_all(GET.as_bytes());
            stream
        })
        .collect();
    let answer = ask_from(Ipv4Addr::new(127, 0, 0, 2), running.address());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(slow);
}

#[test]
fn bodies_that_do_not_come_refuse_nobody_else() {
    let (_folder, running) = server(|limits| limits.max_requests = 1);
    let slow: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(running.address()).unwrap();
            let request = format!("{GET}Content-Length: 1000\r\n\r\n{{");
            stream.write_all(request.as_bytes()).unwrap();
            // A body means nothing here, and is not waited for.
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            stream
        })
        .collect();
    let answer = running.raw(&format!("{GET}Connection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(slow);
}

#[test]
fn a_client_that_does_not_read_loses_its_connection() {
    let (_folder, running) = server(|limits| limits.write_timeout = SOON);
    let mut stream = TcpStream::connect(running.address()).unwrap();
    let requests = format!("{GET}\r\n").repeat(1000);
    // The server stops to read when its answers are not read; then it hangs up.
    while stream.write_all(requests.as_bytes()).is_ok() {}
    let metrics = || running.raw("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    while !metrics().contains("nacre_collateral_connections 1\n") {}
}

#[test]
fn connections_have_a_lifetime() {
    let (_folder, running) = server(|limits| limits.connection_lifetime = SOON);
    // Without "close", and long before the time for the next head is over.
    let answer = running.raw(&format!("{GET}\r\n"));
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 200"),
        "{answer}"
    );
}
