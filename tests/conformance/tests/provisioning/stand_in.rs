//! A stand-in for a key broker: an authority, TLS 1.3 with a client that shows a certificate, and answers that a test chooses. It
//! judges no quote: that is the real broker's, whose tests are beside it.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use provisioning::{PATH, Provision, Refusal, Request, SERVER_NAME};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection, SignatureScheme,
    StreamOwned,
};

/// An answer to one request.
#[derive(Clone, Debug)]
pub enum Answer {
    Give(Box<Provision>),
    Refuse(u16, Refusal),
}

/// Who vouches for brokers.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// Writes its certificate.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.issuer.pem()).unwrap();
    }
}

/// What was asked, and by whom.
pub struct Asked {
    pub request: Request,
    pub certificate: CertificateDer<'static>,
}

/// A broker on a port of the loopback address.
pub struct StandIn {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    /// Answers one request after the other; the last answer is given for ever.
    pub fn start(authority: &Authority, listener: TcpListener, answers: Vec<Answer>) -> Self {
        Self::start_as(SERVER_NAME, authority, listener, answers)
    }

    /// As somebody for whom the authority vouches under another name.
    pub fn start_as(name: &str, authority: &Authority, listener: TcpListener, answers: Vec<Answer>) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anybody(provider)))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let broker = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let (config, asked) = (Arc::new(config), broker.asked.clone());
        std::thread::spawn(move || {
            let mut answers = VecDeque::from(answers);
            for stream in listener.incoming() {
                let answer = answers.front().cloned().unwrap();
                // A client that does not like the certificate goes away.
                if let Ok(question) = serve(stream.unwrap(), &config, &answer) {
                    asked.lock().unwrap().push(question);
                    if answers.len() > 1 {
                        answers.pop_front();
                    }
                }
            }
        });
        broker
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What has been asked.
    pub fn asked(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap()
    }
}

fn serve(stream: TcpStream, config: &Arc<ServerConfig>, answer: &Answer) -> std::io::Result<Asked> {
    let tls = ServerConnection::new(config.clone()).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(tls, stream));
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut length = 0;
    let first = line.clone();
    while !line.trim_end().is_empty() {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim_end().parse().unwrap();
        }
    }
    assert_eq!(first, format!("POST {PATH} HTTP/1.1\r\n"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let (status, answer) = match answer {
        Answer::Give(provision) => (200, serde_json::to_vec(provision).unwrap()),
        Answer::Refuse(status, refusal) => (*status, serde_json::to_vec(refusal).unwrap()),
    };
    let stream = stream.get_mut();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer)?;
    stream.flush()?;
    let certificates = stream.conn.peer_certificates().unwrap();
    Ok(Asked {
        request: serde_json::from_slice(&body).unwrap(),
        certificate: certificates[0].clone().into_owned(),
    })
}

/// Whoever has the key of the certificate that it shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
