//! Fixtures: a broker that runs, people with certificates, and enclaves of a simulated platform.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use broker_store::{RootKey, Sqlite, Store, StoreError, Witness};
use dcap_quote::{CheckedCollateral, Tee, TrustedRoot, UnixTime, Validity};
use key_broker::{ATTESTED_ALPN, Broker, Config, Limits, Server};
use provisioning::{Hex, Provision, Refusal, Request};
use ra_tls::{Attested, FixedCollateral};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use simulated_platform::{Profile, SimulatedPlatform};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

pub static START: LazyLock<UnixTime> =
    LazyLock::new(|| UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()));

pub static PLATFORM: LazyLock<SimulatedPlatform> =
    LazyLock::new(|| SimulatedPlatform::new(Profile::new([3; 32], *START)));

pub static COLLATERAL: LazyLock<Arc<CheckedCollateral>> = LazyLock::new(|| {
    let root = TrustedRoot::dangerous_simulated(&PLATFORM.root_certificate()).unwrap();
    Arc::new(CheckedCollateral::check(&PLATFORM.collateral(Tee::Sgx), &root).unwrap())
});

pub const SIGNER: [u8; 32] = [0xa5; 32];

/// Whoever has a certificate and its key.
pub struct Peer {
    pub certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Peer {
    /// Somebody with a certificate signed by themselves.
    pub fn person(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let certificate = parameters.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    /// An enclave with this MRENCLAVE, whose report is changed before it is signed.
    pub fn enclave_with(mr_enclave: u8, change: impl Fn(&mut [u8; 384])) -> Self {
        let validity = Validity {
            from: UnixTime(START.0 - 100),
            until: UnixTime(START.0 + 400 * 86400),
        };
        let quote = |report_data: &[u8; 64]| {
            let mut body = report(mr_enclave, report_data);
            change(&mut body);
            Ok::<_, std::io::Error>(PLATFORM.quote(&body))
        };
        let Attested { certificate, key } = ra_tls::Request::new(validity)
            .unwrap()
            .certificate(quote)
            .unwrap();
        Self { certificate, key }
    }

    /// A certificate with a quote that was made for something else.
    pub fn from_quote(quote: Vec<u8>) -> Self {
        let validity = Validity {
            from: UnixTime(START.0 - 100),
            until: UnixTime(START.0 + 86400),
        };
        let request = ra_tls::Request::new(validity).unwrap();
        let made = request.certificate(|_| Ok::<_, std::io::Error>(quote.clone()));
        let Attested { certificate, key } = made.unwrap();
        Self { certificate, key }
    }

    pub fn enclave(mr_enclave: u8) -> Self {
        Self::enclave_with(mr_enclave, |_| {})
    }

    /// The certificate of one, the key of another.
    pub fn with_key_of(&self, other: &Self) -> Self {
        Self {
            certificate: self.certificate.clone(),
            key: other.key.clone_key(),
        }
    }

    pub fn sha256(&self) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        digest.as_ref().try_into().unwrap()
    }

    pub fn name(&self) -> String {
        base16ct::lower::encode_string(&self.sha256())
    }
}

/// REPORTBODY of an enclave, by the offsets of the SDM.
pub fn report(mr_enclave: u8, report_data: &[u8; 64]) -> [u8; 384] {
    let mut body = [0; 384];
    body[48] = 0b101;
    body[64..96].copy_from_slice(&[mr_enclave; 32]);
    body[128..160].copy_from_slice(&SIGNER);
    body[256] = 3;
    body[258] = 7;
    body[320..].copy_from_slice(report_data);
    body
}

/// A broker that runs until it is dropped or stopped.
pub struct Running {
    pub directory: TempDir,
    pub administrator: Arc<Peer>,
    pub address: std::net::SocketAddr,
    pub authority: CertificateDer<'static>,
    pub audit_key: Vec<u8>,
    broker: Broker,
    ahead: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub fn root_key() -> RootKey {
    RootKey::from_bytes(Zeroizing::new([9; 32]))
}

impl Running {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let administrator = Arc::new(Peer::person("administrator"));
        let path = directory.path().join("store");
        let backend = Box::new(Sqlite::create(&path).unwrap());
        let store = Broker::init(backend, &root_key(), &[administrator.sha256()], *START).unwrap();
        Self::serve(directory, administrator, store).await
    }

    async fn serve(directory: TempDir, administrator: Arc<Peer>, store: Store) -> Self {
        let ahead = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&ahead);
        let broker = Broker::start(store, "a test", *START).unwrap();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            names: vec!["broker.example".to_owned()],
            collateral: Arc::new(FixedCollateral(Arc::clone(&COLLATERAL))),
            quotes: Some(Box::new(|report_data| {
                Ok(PLATFORM.quote(&report(0xbb, report_data)))
            })),
            limits: Limits::default(),
            clock: Arc::new(move || UnixTime(START.0 + clock.load(Ordering::Relaxed))),
        };
        let server = Server::bind(broker.clone(), config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let address = server.address();
        let served = tokio::spawn(server.serve(async move {
            let _ = stopped.await;
        }));
        Self {
            directory,
            administrator,
            address,
            authority: CertificateDer::from(broker.authority().to_vec()),
            audit_key: broker.audit_public_key().unwrap(),
            broker,
            ahead,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// The time goes on for everybody but the certificates of TLS.
    pub fn pass(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    pub async fn witness(&self) -> Witness {
        self.broker.heads().await.unwrap().store
    }

    /// Ends the broker, and gives what is left of it.
    pub async fn stop(mut self) -> (TempDir, Arc<Peer>) {
        let _ = self.stop.take().unwrap().send(());
        self.served.take().unwrap().await.unwrap();
        let Self {
            directory,
            administrator,
            broker,
            ..
        } = self;
        drop(broker);
        // The store's thread ends after its last handle.
        for _ in 0..100 {
            if Sqlite::open(&directory.path().join("store")).is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        (directory, administrator)
    }

    /// Starts it again, as an operator who has kept a witness.
    pub async fn restart(
        (directory, administrator): (TempDir, Arc<Peer>),
        witness: Option<&Witness>,
    ) -> Result<Self, StoreError> {
        let backend = Box::new(Sqlite::open(&directory.path().join("store"))?);
        let store = Store::open(backend, &root_key(), witness)?;
        Ok(Self::serve(directory, administrator, store).await)
    }

    pub async fn ask(&self, peer: Option<&Peer>, method: &str, path: &str, body: &[u8]) -> Answer {
        self.try_ask(peer, method, path, body).await.unwrap()
    }

    pub async fn try_ask(
        &self,
        peer: Option<&Peer>,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match peer {
            Some(peer) => builder
                .with_client_auth_cert(vec![peer.certificate.clone()], peer.key.clone_key())
                .map_err(std::io::Error::other)?,
            None => builder.with_no_client_auth(),
        };
        self.ask_by(config, method, path, body).await
    }

    /// Asks as somebody who wants to see the broker's quote.
    pub async fn ask_attested(&self, verifier: ra_tls::Verifier, path: &str) -> std::io::Result<Answer> {
        let mut config = ra_tls::client_config(verifier, None).unwrap();
        config.alpn_protocols = vec![ATTESTED_ALPN.to_vec()];
        self.ask_by(config, "GET", path, b"").await
    }

    async fn ask_by(
        &self,
        config: ClientConfig,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(provisioning::SERVER_NAME).unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: broker.example\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Ok(Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: answer[end + 4..].to_vec(),
            head,
        })
    }

    /// An administrator's request.
    pub async fn admin(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let administrator = Arc::clone(&self.administrator);
        self.ask(Some(&administrator), method, path, body).await
    }

    /// Puts a policy in force, and gives its digest.
    pub async fn apply(&self, name: &str, policy: &str) -> String {
        let answer = self
            .admin("PUT", &format!("/v1/deployments/{name}"), policy.as_bytes())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["digest"].as_str().unwrap().to_owned()
    }

    pub async fn provision(&self, enclave: &Peer, request: &Request) -> Result<Provision, (u16, Refusal)> {
        let body = serde_json::to_vec(request).unwrap();
        let answer = self.ask(Some(enclave), "POST", provisioning::PATH, &body).await;
        match answer.status {
            200 => Ok(serde_json::from_slice(&answer.body).unwrap()),
            status => Err((
                status,
                serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text())),
            )),
        }
    }

    /// The whole audit log, which is verified.
    pub async fn audit(&self) -> String {
        let (mut log, mut from) = (String::new(), 1);
        loop {
            let answer = self.admin("GET", &format!("/v1/audit?from={from}"), b"").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            log.push_str(&answer.text());
            let next = answer
                .head
                .lines()
                .find_map(|line| line.strip_prefix("nacre-next: "));
            match next {
                Some(next) => from = next.parse().unwrap(),
                None => break,
            }
        }
        key_broker::audit::verify(&log, &self.audit_key, None).unwrap();
        log
    }

    /// The entry of the audit log with this reference.
    pub async fn entry(&self, reference: &str) -> Value {
        let log = self.audit().await;
        let line = log.lines().find(|line| line.contains(reference));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no {reference} in {log}"))).unwrap()
    }
}

pub fn request(instance: u8) -> Request {
    Request {
        deployment: None,
        service: None,
        instance: Hex([instance; 16]),
        image_key: None,
    }
}

pub fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .unwrap()
}

pub fn hex(byte: u8) -> String {
    base16ct::lower::encode_string(&[byte; 32])
}
