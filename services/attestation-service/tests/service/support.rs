//! Fixtures: a running service, and requests to it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attestation_service::{AdminToken, CollateralFiles, Config, Limits, PolicySigner, Server};
use attestation_token::{ClaimPolicy, Claims, Jws, KeySet, Validator};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dcap_quote::{Policy, Tee, TrustedRoot, UnixTime};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use simulated_platform::{Body, Profile, SimulatedPlatform};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What time it is for every service here.
pub const NOW: UnixTime = UnixTime(1_750_723_200);
pub const ADMIN_TOKEN: &str = "0123456789abcdef";
pub const SGX: &str = "/attest/SgxEnclave?api-version=2020-10-01";
pub const TDX: &str = "/attest/TdxVm?api-version=2025-06-01";

/// A service on its own port, with its own state.
pub struct Running {
    pub directory: Arc<tempfile::TempDir>,
    pub platform: SimulatedPlatform,
    pub issuer: String,
    certificate: PathBuf,
    address: SocketAddr,
    connector: TlsConnector,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

/// What is special about a service.
pub struct Setup {
    pub directory: Arc<tempfile::TempDir>,
    pub platform: SimulatedPlatform,
    pub change: Box<dyn FnOnce(&mut Config)>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Setup {
    pub fn new() -> Self {
        Self::at(NOW)
    }

    /// For clients that have a clock of their own: now is now.
    pub fn by_the_clock() -> Self {
        let now = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            UnixTime(since.unwrap().as_secs())
        };
        Self::at(now()).config(move |config| config.clock = Arc::new(now))
    }

    /// With collateral that begins to be valid at this time.
    pub fn at(now: UnixTime) -> Self {
        Self {
            directory: Arc::new(tempfile::tempdir().unwrap()),
            platform: SimulatedPlatform::new(Profile::new([7; 32], now)),
            change: Box::new(|_| {}),
        }
    }

    pub fn platform(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::new([7; 32], NOW);
        change(&mut profile);
        self.platform = SimulatedPlatform::new(profile);
        self
    }

    /// Changes come one after the other.
    pub fn config(mut self, change: impl FnOnce(&mut Config) + 'static) -> Self {
        let before = self.change;
        self.change = Box::new(|config| {
            before(config);
            change(config);
        });
        self
    }

    pub async fn start(self) -> Running {
        let file = |name: &str| self.directory.path().join(name);
        for tee in [Tee::Sgx, Tee::Tdx] {
            let json = serde_json::to_vec(&self.platform.collateral(tee)).unwrap();
            fs::write(file(&tee.to_string()), json).unwrap();
        }
        fs::write(file("admin"), ADMIN_TOKEN).unwrap();
        let root = TrustedRoot::dangerous_simulated(&self.platform.root_certificate()).unwrap();
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            state: file("state"),
            url: None,
            tls: None,
            collateral: Arc::new(
                CollateralFiles::load(vec![file("SGX"), file("TDX")], root.clone()).unwrap(),
            ),
            root,
            acceptable: Policy::default(),
            policy_signers: Vec::new(),
            admin: Some(AdminToken::load(&file("admin")).unwrap()),
            limits: Limits::default(),
            clock: Arc::new(|| NOW),
        };
        (self.change)(&mut config);
        let server = Server::bind(config).await.unwrap();
        let (address, issuer) = (server.address(), server.issuer().to_owned());
        let certificate = server.certificate().clone();
        let connector = connector(&certificate);
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Running {
            directory: self.directory,
            platform: self.platform,
            issuer,
            certificate,
            address,
            connector,
            stop: Some(stop),
            served,
        }
    }
}

impl Running {
    pub async fn start() -> Self {
        Setup::new().start().await
    }

    /// Ends it as SIGTERM does, and returns its state for another one.
    pub async fn stop(mut self) -> Arc<tempfile::TempDir> {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.served).await.unwrap();
        Arc::clone(&self.directory)
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.handshake(stream).await
    }

    /// TLS on a connection to the service.
    pub async fn handshake(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let name = ServerName::from(self.address.ip());
        self.connector.connect(name, stream).await.unwrap()
    }

    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    pub fn tcp(&self) -> SocketAddr {
        self.address
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let io = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        drop(sender);
        connection.abort();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, None, "")).await
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(self.request(Method::POST, path, Some("application/json"), body))
            .await
    }

    /// As who may manage policies.
    pub async fn manage(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let mut request = self.request(method, path, Some("text/plain"), body);
        let authorization = format!("Bearer {ADMIN_TOKEN}").parse().unwrap();
        request.headers_mut().insert("authorization", authorization);
        self.send(request).await
    }

    pub fn request(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request.body(Full::new(body.into())).unwrap()
    }

    /// What a token of any kind says, if the service has signed it.
    pub async fn signed(&self, answer: &Answer) -> Value {
        let keys = KeySet::parse(&self.get("/certs").await.body).unwrap();
        let token = answer.token();
        let jws = Jws::parse(&token).unwrap();
        let key = keys.key(jws.header().kid().unwrap()).unwrap();
        serde_json::from_slice(jws.verify_with(key).unwrap()).unwrap()
    }

    /// The claims of an attestation token, validated with the keys that the service publishes.
    pub async fn validated(&self, answer: &Answer) -> Claims {
        let keys = self.get("/certs").await;
        assert_eq!(keys.status, 200);
        let keys = KeySet::parse(&keys.body).unwrap();
        let policy = ClaimPolicy::default()
            .dangerous_accept_simulated()
            .dangerous_accept_debug();
        let validated = Validator::new(&self.issuer).validate(&answer.token(), &keys, &policy, NOW);
        validated.unwrap()
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()["token"].as_str().unwrap().to_owned()
    }

    /// What the token says, whoever says it.
    pub fn unverified(&self) -> Value {
        let token = self.token();
        serde_json::from_slice(Jws::parse(&token).unwrap().unverified_payload()).unwrap()
    }

    /// Status, code and message of an error, which must be in the one shape.
    pub fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |member: &str| json["error"][member].as_str().unwrap().to_owned();
        assert_eq!(self.headers["x-ms-error-code"], text("code"));
        assert_eq!(self.headers["x-ms-request-id"].len(), 32);
        assert_eq!(json.as_object().unwrap().len(), 1);
        (self.status, text("code"), text("message"))
    }

    pub fn expect_error(&self, status: u16, code: &str, part: &str) {
        let error = self.error();
        assert!(
            error.0 == status && error.1 == code && error.2.contains(part),
            "{error:?} instead of {status} {code} …{part}…"
        );
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

/// Tells an enclave's REPORTBODY.
pub fn report(data: &[u8]) -> [u8; 384] {
    let mut report = [0; 384];
    let mut put = |offset: usize, bytes: &[u8]| report[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(48, &[0x05]);
    put(64, &[0xe1; 32]);
    put(128, &[0x51; 32]);
    put(256, &7_u16.to_le_bytes());
    put(258, &3_u16.to_le_bytes());
    put(320, &sha256(data));
    report
}

/// A trust domain's report.
pub fn td_report(data: &[u8]) -> Body {
    let mut report = [0; 584];
    let mut put = |offset: usize, bytes: &[u8]| report[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, &[5, 1, 6]);
    // SEPT_VE_DISABLE.
    put(120, &(1_u64 << 28).to_le_bytes());
    put(136, &[0xd0; 48]);
    put(520, &sha256(data));
    Body::Td10(report)
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn standard_b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The body of an attest call.
pub fn attest_body(quote: &[u8], runtime_data: Option<(&[u8], &str)>) -> Value {
    let mut body = json!({ "quote": b64(quote) });
    if let Some((data, kind)) = runtime_data {
        body["runtimeData"] = json!({ "data": b64(data), "dataType": kind });
    }
    body
}

/// The certificate in a file, as a policy signer.
pub fn signer(directory: &tempfile::TempDir, pem: &str) -> PolicySigner {
    let path = directory.path().join("signer.pem");
    fs::write(&path, pem).unwrap();
    PolicySigner::load(&path).unwrap()
}
