//! A mock, for these tests only: HTTPS on a port of this machine, with the answers it was told, one for each connection.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use attestation_client::Client;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

pub struct MockService {
    port: u16,
    certificate: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    requests: Vec<Request>,
}

pub struct Request {
    /// Its first line.
    pub line: String,
    pub body: Vec<u8>,
}

#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    pub fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: String::new(),
            body: body.to_owned(),
        }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, &body.to_string()).header("content-type", "application/json")
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }
}

impl MockService {
    pub fn start() -> Self {
        Self::start_as(rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap())
    }

    /// With a certificate of its own.
    pub fn start_as(parameters: rcgen::CertificateParams) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let (config, state) = (Arc::new(config), Arc::new(Mutex::new(State::default())));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            port: listener.local_addr().unwrap().port(),
            certificate: certificate.pem(),
            state: Arc::clone(&state),
        };
        // It ends with the test's process.
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                // A client that refuses the certificate goes away.
                let _ = serve(StreamOwned::new(connection, socket.unwrap()), &state);
            }
        });
        service
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url(), self.certificate.as_bytes()).unwrap()
    }

    /// Queues an answer.
    pub fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answers.push_back(answer);
    }

    /// The requests since this was last asked.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn serve(
    stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut state = state.lock().unwrap();
    state.requests.push(Request {
        line: line.trim_end().to_owned(),
        body,
    });
    let nothing = Answer::new(302, "");
    let answer = state.answers.pop_front().unwrap_or(nothing);
    drop(state);
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {} Status\r\n{}content-length: {}\r\nconnection: close\r\n\r\n{}",
        answer.status,
        answer.headers,
        answer.body.len(),
        answer.body
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    let hash = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .unwrap()
        .common
        .hash_provider
        .hash(bytes);
    base16ct::lower::encode_string(hash.as_ref())
}
