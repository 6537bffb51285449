//! How many containers a broker provisions in a second: `cargo bench -p key-broker [-- --json]`.
//!
//! Each request is a new connection, as of a container that starts: a TLS 1.3 handshake in which the broker verifies a quote, the
//! policy's decision, a password and a certificate, an entry in the audit log, and a commit of the SQLite store. Clients run in the same
//! process and their work counts, so a broker alone does better.

#[path = "../tests/broker/support.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provisioning::{Hex, Request};
use serde_json::json;
use support::{Peer, Running};

/// Containers that ask at the same time.
const CONCURRENT: usize = 64;
/// Requests that are measured, after as many rounds without measuring.
const REQUESTS: usize = 2000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    // Without --bench this is a test run: it only has to work.
    let requests = if has("--bench") { REQUESTS } else { CONCURRENT };
    let broker = Arc::new(Running::start().await);
    broker.apply("shop", &policy()).await;
    let peers: Arc<Vec<Peer>> = Arc::new((0..CONCURRENT).map(|_| Peer::enclave(0x11)).collect());
    ask(&broker, &peers, CONCURRENT).await;

    let (begin, cpu) = (Instant::now(), cpu_time());
    let mut times = ask(&broker, &peers, requests).await;
    let (wall, cpu) = (begin.elapsed(), cpu_time() - cpu);
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    let report = json!({
        "per_second": requests as f64 / wall.as_secs_f64(),
        "p99_ms": p99.as_secs_f64() * 1e3,
        "cpu_us": cpu.as_secs_f64() * 1e6 / requests as f64,
    });
    match has("--json") {
        true => println!("{report}"),
        false => println!("{report:#}"),
    }
}

fn policy() -> String {
    format!(
        "name: shop
services:
  web:
    enclaves: [{}]
    tolerate: [{{ what: simulated, reason: a benchmark }}]
    environment: {{ PASSWORD: '{{{{ secret \"password\" }}}}' }}
    files: {{ /run/tls.pem: {{ content: '{{{{ certificate \"tls\" }}}}{{{{ private_key \"tls\" }}}}' }} }}
secrets:
  password: {{ kind: password }}
  tls: {{ kind: x509, common_name: web, dns: [web.example], lifetime: 30d }}
",
        "11".repeat(32)
    )
}

/// Has all peers ask, one request after the other each; how long each took.
async fn ask(broker: &Arc<Running>, peers: &Arc<Vec<Peer>>, requests: usize) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks = (0..CONCURRENT).map(|number| {
        let (broker, peers, next) = (broker.clone(), peers.clone(), next.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            let mut instance = [0; 16];
            instance[0] = number as u8;
            let request = Request {
                deployment: Some("shop".to_owned()),
                service: None,
                instance: Hex(instance),
                image_key: None,
            };
            while next.fetch_add(1, Ordering::Relaxed) < requests {
                let begin = Instant::now();
                let provision = broker.provision(&peers[number], &request).await;
                times.push(begin.elapsed());
                assert_eq!(provision.expect("something is given").files.len(), 1);
            }
            times
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await.expect("no panic"));
    }
    times
}

/// What this process has used of processors.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the kernel's files");
    // utime and stime, the 14th and 15th field of proc_pid_stat(5), in ticks of 10 ms; the name before them may have spaces.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
