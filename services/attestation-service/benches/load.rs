//! Load benchmark: `NACRE=target/release/nacre cargo bench -p attestation-service`.
//!
//! The service runs as a process of its own (`$NACRE attestation serve`), and this one calls it over TLS with kept connections, each
//! waiting for its answer. What is charged to the service is its own CPU time, so that callers on the same cores do not matter. Beside it:
//! verifying the same quote, and one RSA-2048 signature, each alone. With `--json`, an object for `cargo xtask bench` instead of a
//! table.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dcap_quote::{CheckedCollateral, Quote, Tee, TrustedRoot, UnixTime, verify};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use simulated_platform::{Profile, SimulatedPlatform};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Connections, and calls through all of them together.
const LOADS: [(usize, u64); 3] = [(1, 2_000), (16, 8_000), (256, 8_000)];
/// Calls before anything is measured.
const WARM_UP: u64 = 500;
/// The kernel counts CPU time in ticks of this length, on every x86-64 Linux.
const TICK: f64 = 0.01;

#[derive(Serialize)]
struct Report {
    verification_us: f64,
    signature_us: f64,
    loads: Vec<Load>,
}

#[derive(Serialize)]
struct Load {
    connections: usize,
    calls_per_second: f64,
    p99_ms: f64,
    /// CPU time of the service for one call.
    cpu_us: f64,
}

fn main() {
    let platform = SimulatedPlatform::new(Profile::new([7; 32], now()));
    let mut body = [0; 384];
    body[48] = 5;
    let quote = platform.quote(&body);
    let call = format!(r#"{{"quote":"{}"}}"#, URL_SAFE_NO_PAD.encode(&quote));
    let service = Service::start(&platform);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(service.load(&call, 4, WARM_UP));
    let loads = LOADS.map(|(connections, calls)| runtime.block_on(service.load(&call, connections, calls)));
    let report = Report {
        verification_us: verification(&platform, &quote),
        signature_us: signature(),
        loads: loads.into(),
    };
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string(&report).unwrap());
        return;
    }
    println!(
        "verify the quote alone                    {:>9.1} µs",
        report.verification_us
    );
    println!(
        "one RSA-2048 signature alone              {:>9.1} µs",
        report.signature_us
    );
    for load in &report.loads {
        println!(
            "{:>3} connections: {:>7.0} calls/s, p99 {:>6.2} ms, {:>6.1} µs of CPU a call",
            load.connections, load.calls_per_second, load.p99_ms, load.cpu_us
        );
    }
}

struct Service {
    process: Child,
    address: String,
    connector: TlsConnector,
    _directory: tempfile::TempDir,
}

impl Service {
    fn start(platform: &SimulatedPlatform) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write =
            |name: &str, content: &[u8]| std::fs::write(directory.path().join(name), content).unwrap();
        write(
            "collateral",
            &serde_json::to_vec(&platform.collateral(Tee::Sgx)).unwrap(),
        );
        write("root", platform.root_certificate().as_bytes());
        let nacre =
            std::env::var("NACRE").expect("NACRE is the path of a nacre that was built with --release");
        let mut process = Command::new(nacre)
            .current_dir(directory.path())
            .args([
                "attestation",
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--state",
                "state",
            ])
            .args([
                "--collateral",
                "collateral",
                "--dangerous-trust-simulated",
                "root",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .strip_prefix("serving at https://")
            .and_then(|rest| rest.split(',').next());
        let address = address
            .unwrap_or_else(|| panic!("no address: {line:?}"))
            .to_owned();
        Self {
            process,
            address,
            connector: connector(&directory.path().join("state/tls.pem")),
            _directory: directory,
        }
    }

    async fn load(&self, call: &str, connections: usize, calls: u64) -> Load {
        let left = Arc::new(AtomicU64::new(calls));
        let mut callers = Vec::new();
        for _ in 0..connections {
            callers.push(self.connect().await);
        }
        let (began, cpu) = (Instant::now(), self.cpu_seconds());
        let callers: Vec<_> = callers
            .into_iter()
            .map(|mut sender| {
                let (left, call) = (Arc::clone(&left), Bytes::from(call.to_owned()));
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                        .is_ok()
                    {
                        let request = Request::post("/attest/SgxEnclave?api-version=2025-06-01")
                            .header("host", "localhost")
                            .header("content-type", "application/json")
                            .body(Full::new(call.clone()))
                            .unwrap();
                        let began = Instant::now();
                        let response = sender.send_request(request).await.unwrap();
                        assert!(response.status().is_success(), "{}", response.status());
                        response.into_body().collect().await.unwrap();
                        times.push(began.elapsed());
                    }
                    times
                })
            })
            .collect();
        let mut times: Vec<Duration> = Vec::new();
        for caller in callers {
            times.extend(caller.await.unwrap());
        }
        let (seconds, cpu) = (began.elapsed().as_secs_f64(), self.cpu_seconds() - cpu);
        times.sort_unstable();
        Load {
            connections,
            calls_per_second: calls as f64 / seconds,
            p99_ms: times[times.len() * 99 / 100].as_secs_f64() * 1e3,
            cpu_us: cpu * 1e6 / calls as f64,
        }
    }

    async fn connect(&self) -> hyper::client::conn::http1::SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.connector.connect(name, stream).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.process.id().to_string())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connector(certificate: &Path) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Microseconds, with checked collateral and a known attestation key.
fn verification(platform: &SimulatedPlatform, quote: &[u8]) -> f64 {
    let root = TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap();
    let checked = CheckedCollateral::check(&platform.collateral(Tee::Sgx), &root).unwrap();
    let now = now();
    microseconds(20_000, || {
        verify(&Quote::parse(quote).unwrap(), &checked, now).unwrap();
    })
}

/// Microseconds.
fn signature() -> f64 {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let key = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    microseconds(5_000, || {
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            &[0; 3000],
            &mut signature,
        )
        .unwrap();
    })
}

/// Of CPU time, as the service is charged: what else runs on the machine does not matter.
fn microseconds(repeats: u32, mut run: impl FnMut()) -> f64 {
    let began = cpu_seconds("self");
    (0..repeats).for_each(|_| run());
    (cpu_seconds("self") - began) * 1e6 / f64::from(repeats)
}

/// Of a process, user and system (proc_pid_stat(5): fields 14 and 15; the second may contain spaces).
fn cpu_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) * TICK
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}
