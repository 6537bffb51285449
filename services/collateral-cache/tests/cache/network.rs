//! Tests of client and server on the loopback interface, also of servers that behave badly.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use collateral_cache::{
    CacheDir, Client, ClientOptions, FetchError, Freshness, Limits, Retry, Roots, Server, ServerConfig,
    Shelf, Transport,
};
use dcap_quote::{PckCa, Tee, UnixTime};
use pcs::{Edition, Source};
use tokio::sync::oneshot;

use crate::support::{NOW, WANTED, cache, collateral, days, platform};

const RETRY: Retry = Retry {
    attempts: 3,
    first_delay: Duration::from_millis(1),
    longest_delay: Duration::from_secs(1),
};

/// A server in a thread of its own.
pub struct Running {
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(cache: &CacheDir, transport: Transport, now: UnixTime) -> Self {
        Self::start_with_limits(cache, transport, now, Server::limits())
    }

    pub fn start_with_limits(cache: &CacheDir, transport: Transport, now: UnixTime, limits: Limits) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let config = ServerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            transport,
            limits,
            clock: Box::new(move || now),
            log: Box::new(move |line| lines.lock().unwrap().push(line.to_owned())),
        };
        let (end, ended) = oneshot::channel::<()>();
        let (address_sender, address) = std::sync::mpsc::channel();
        let cache = cache.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::bind(cache, config).await.unwrap();
                address_sender.send(server.address()).unwrap();
                server
                    .serve(async {
                        let _ = ended.await;
                    })
                    .await;
            });
        });
        Self {
            address: address.recv().unwrap(),
            log,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Of a server without TLS.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn client(&self) -> Client {
        client(&self.url(), Roots::Platform)
    }

    /// Sends bytes, and gets everything until the server hangs up.
    pub fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn client(url: &str, roots: Roots) -> Client {
    let source: Source = url.parse().unwrap();
    Client::new(ClientOptions {
        source,
        roots,
        retry: RETRY,
    })
    .unwrap()
}

#[test]
fn from_one_cache_to_another() {
    let (_folder, served) = cache();
    let (_folder, mirror) = cache();
    for tee in [Tee::Sgx, Tee::Tdx] {
        let collateral = platform(NOW, |_| ()).collateral(tee);
        served.insert(Shelf::Standard, &collateral, NOW).unwrap();
    }
    let early = platform(NOW, |profile| profile.evaluation_data_number = 18).collateral(Tee::Sgx);
    served.insert(Shelf::Early, &early, NOW).unwrap();
    let running = Running::start(&served, Transport::Plain, NOW);
    for edition in [
        Edition::Unspecified,
        Edition::Standard,
        Edition::EvaluationDataNumber(17),
    ] {
        let fetched = running.client().fetch(&WANTED, edition).unwrap().collateral;
        assert_eq!(fetched, collateral(NOW));
        mirror.insert(Shelf::Standard, &fetched, NOW).unwrap();
    }
    for edition in [Edition::Early, Edition::EvaluationDataNumber(18)] {
        assert_eq!(
            running.client().fetch(&WANTED, edition).unwrap().collateral,
            early
        );
    }
    let found = mirror.collateral(&WANTED, NOW, &Freshness::default()).unwrap();
    assert_eq!(found.collateral, collateral(NOW));
    let tdx = collateral_cache::Wanted {
        tee: Tee::Tdx,
        ..WANTED
    };
    running.client().fetch(&tdx, Edition::Unspecified).unwrap();
    assert_eq!(*running.log.lock().unwrap(), [""; 0]);
}

#[test]
fn what_is_not_there_and_what_has_expired_is_not_served() {
    let (_folder, served) = cache();
    served.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let running = Running::start(&served, Transport::Plain, NOW);
    for (wanted, edition) in [
        (
            collateral_cache::Wanted {
                ca: PckCa::Processor,
                ..WANTED
            },
            Edition::Unspecified,
        ),
        (WANTED, Edition::Early),
        (WANTED, Edition::EvaluationDataNumber(3)),
    ] {
        let refused = running.client().fetch(&wanted, edition).unwrap_err().to_string();
        assert!(
            refused.contains("answers 404") && refused.contains("Request-ID"),
            "{refused}"
        );
    }
    let expired = Running::start(&served, Transport::Plain, days(31));
    let refused = expired
        .client()
        .fetch(&WANTED, Edition::Unspecified)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("answers 503"), "{refused}");
    let health = expired.raw("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 503"), "{health}");
    let log = expired.log.lock().unwrap();
    assert!(log.iter().all(|line| line.contains("has expired")), "{log:?}");
}

#[test]
fn requests_that_are_none() {
    let (_folder, served) = cache();
    served.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let running = Running::start(&served, Transport::Plain, NOW);
    let close = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (request, status) in [
        (format!("GET /sgx/certification/v4/rootcacrl {close}"), "200"),
        (format!("GET /healthz {close}"), "200"),
        (format!("GET /health {close}"), "200"),
        (format!("GET /health/live {close}"), "200"),
        (format!("GET /metrics {close}"), "200"),
        (format!("POST /healthz {close}"), "405"),
        (format!("GET / {close}"), "404"),
        (
            format!("GET /sgx/certification/v4/../../../etc/passwd {close}"),
            "404",
        ),
        (format!("GET /sgx/certification/v4/tcb {close}"), "400"),
        (format!("POST /sgx/certification/v4/rootcacrl {close}"), "405"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (
            format!(
                "GET /sgx/certification/v4/rootcacrl HTTP/1.1\r\nX: {}\r\n\r\n",
                "x".repeat(20_000)
            ),
            "431",
        ),
    ] {
        let answer = running.raw(&request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request:.60}: {answer:.60}"
        );
        let allow = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("allow").then_some(value)
        });
        assert_eq!(allow, (status == "405").then_some("GET, HEAD"), "{answer:.200}");
    }
}

#[test]
fn over_tls_only_with_the_authority_by_name() {
    let (_folder, served) = cache();
    served.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = own.cert.pem().into_bytes();
    let transport = Transport::tls(&certificate, own.signing_key.serialize_pem().as_bytes()).unwrap();
    let running = Running::start(&served, transport, NOW);
    let url = format!("https://{}", running.address);
    let fetch = |roots| client(&url, roots).fetch(&WANTED, Edition::Unspecified);
    assert_eq!(
        fetch(Roots::Only(certificate)).unwrap().collateral,
        collateral(NOW)
    );
    let refused = fetch(Roots::Platform).unwrap_err();
    assert!(matches!(refused, FetchError::Tls { .. }), "{refused}");
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let refused = fetch(Roots::Only(other.cert.pem().into_bytes())).unwrap_err();
    assert!(matches!(refused, FetchError::Tls { .. }), "{refused}");
    assert!(Transport::tls(b"", b"").is_err());
    let mixed = Transport::tls(
        other.cert.pem().as_bytes(),
        own.signing_key.serialize_pem().as_bytes(),
    );
    assert!(mixed.is_err(), "a key that is not the certificate's");
}

/// Answers one connection after the other with these texts, then hangs up; counts the questions.
fn scripted(answers: &[&str]) -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let thread = thread::spawn(move || {
        let mut count = 0;
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            count += 1;
            // The client may have seen enough.
            let _ = stream.write_all(answer.as_bytes());
        }
        count
    });
    (url, thread)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

#[test]
fn trouble_is_asked_again_and_no_is_no() {
    let busy = answer("429 Too Many Requests", "Retry-After: 0\r\n", "");
    let trouble = answer("503 Service Unavailable", "", "");
    let no = answer("404 Not Found", "Request-ID: 12-ab\r\n", "");
    for (answers, questions, says) in [
        (vec![busy.as_str(), &trouble, &no], 3, "12-ab"),
        (vec![&trouble, &trouble, &trouble], 3, "in trouble itself"),
        (vec![&no], 1, "12-ab"),
        (vec!["", "", &no], 3, "12-ab"),
    ] {
        let (url, thread) = scripted(&answers);
        let refused = client(&url, Roots::Platform)
            .fetch(&WANTED, Edition::Unspecified)
            .unwrap_err()
            .to_string();
        assert!(refused.contains(says), "{refused}");
        assert_eq!(thread.join().unwrap(), questions);
    }
}

#[test]
fn a_long_pause_is_not_waited_for() {
    let busy = answer("429 Too Many Requests", "Retry-After: 86400\r\n", "");
    let (url, thread) = scripted(&[&busy]);
    let refused = client(&url, Roots::Platform)
        .fetch(&WANTED, Edition::Unspecified)
        .unwrap_err();
    assert!(refused.to_string().contains("too many questions"), "{refused}");
    assert_eq!(thread.join().unwrap(), 1);
}

#[test]
fn answers_that_are_none() {
    let redirect = answer("302 Found", "Location: http://127.0.0.1:1/\r\n", "");
    let no_chain = answer("200 OK", "", r#"{"tcbInfo":{},"signature":"00"}"#);
    let bad_chain = answer(
        "200 OK",
        "TCB-Info-Issuer-Chain: %00\r\n",
        r#"{"tcbInfo":{},"signature":"00"}"#,
    );
    let html = answer(
        "200 OK",
        "TCB-Info-Issuer-Chain: -----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----\r\n",
        "<html>sign in</html>",
    );
    let endless = answer("200 OK", "", &"x".repeat(9 << 20));
    for (text, says) in [
        (redirect, "points elsewhere"),
        (no_chain, "no header field TCB-Info-Issuer-Chain"),
        (bad_chain, "not certificates in PEM"),
        (html, "is not {\"tcbInfo\""),
        (endless, "limit"),
    ] {
        let (url, thread) = scripted(&[&text]);
        let refused = client(&url, Roots::Platform)
            .fetch(&WANTED, Edition::Unspecified)
            .unwrap_err()
            .to_string();
        assert!(refused.contains(says), "{says}: {refused}");
        thread.join().unwrap();
    }
}
