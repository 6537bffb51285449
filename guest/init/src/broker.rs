//! Asks the broker until it answers.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use provisioning::{Code, Hex, MAX_PROVISION, PATH, Provision, Refusal, Request, SERVER_NAME};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::{Failure, http, say, tls};

/// How long one attempt to connect, and one wait for bytes, may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first pause before another attempt, and the longest: each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The port of a URL without one.
const PORT: u16 = 443;

/// Where the broker is.
pub(crate) struct Broker {
    /// `HOST:PORT`.
    address: String,
    deployment: Option<String>,
    service: Option<String>,
    authority: Vec<u8>,
}

/// Why one attempt gave nothing.
enum Problem {
    /// Another may.
    Passing(String),
    /// No other will.
    Lasting(Failure),
}

/// A name for this container, among its like.
pub(crate) fn new_instance() -> Result<Hex<16>, Failure> {
    let mut instance = [0; 16];
    let failed = |error| format!("no random numbers: {error}");
    let count =
        rustix::rand::getrandom(&mut instance, rustix::rand::GetRandomFlags::empty()).map_err(failed)?;
    match count == instance.len() {
        true => Ok(Hex(instance)),
        false => Err("too few random numbers".into()),
    }
}

impl Broker {
    /// At `https://HOST[:PORT][/DEPLOYMENT[/SERVICE]]`.
    pub(crate) fn new(url: &str, authority: &[u8]) -> Result<Self, Failure> {
        let refused = || format!("{url} is not https://HOST:PORT[/DEPLOYMENT[/SERVICE]]: give --broker so");
        let rest = url.strip_prefix("https://").ok_or_else(refused)?;
        let mut parts = rest.trim_end_matches('/').splitn(3, '/');
        let host = parts.next().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        // An IPv6 address has its colons in brackets.
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let name = |part: Option<&str>| part.filter(|name| !name.is_empty()).map(str::to_owned);
        let broker = Self {
            address: if has_port {
                host.to_owned()
            } else {
                format!("{host}:{PORT}")
            },
            deployment: name(parts.next()),
            service: name(parts.next()),
            authority: authority.to_vec(),
        };
        match broker.service.as_ref().is_some_and(|name| name.contains('/')) {
            true => Err(refused()),
            false => Ok(broker),
        }
    }

    /// The deployment that the host names.
    pub(crate) fn deployment(&self) -> Option<&str> {
        self.deployment.as_deref()
    }

    /// The service that the host names.
    pub(crate) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Asks until there is an answer; says each time why there is none.
    ///
    /// # Errors
    /// The broker refuses, or it is another than the image was converted for.
    pub(crate) fn ask(&self, request: &Request) -> Result<Provision, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_ask(request) {
                Ok(provision) => return Ok(provision),
                Err(Problem::Lasting(failure)) => return Err(failure),
                Err(Problem::Passing(problem)) => say(&format!(
                    "the broker at {} gives no answer: {problem}; asking again in {} s",
                    self.address,
                    pause.as_secs()
                )),
            }
            sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn try_ask(&self, request: &Request) -> Result<Provision, Problem> {
        let body = serde_json::to_vec(request)
            .map_err(|error| Problem::Lasting(format!("a request cannot be written: {error}")))?;
        let config = tls::configuration(&self.authority).map_err(Problem::Lasting)?;
        let name = ServerName::try_from(SERVER_NAME)
            .map_err(|error| Problem::Lasting(format!("{SERVER_NAME}: {error}")))?;
        let tls = ClientConnection::new(Arc::clone(&config), name)
            .map_err(|error| Problem::Lasting(format!("TLS cannot be set up: {error}")))?;
        let mut stream = StreamOwned::new(tls, self.connect().map_err(passing)?);
        let response = http::post(&mut stream, &self.address, PATH, &body, MAX_PROVISION)
            .map_err(|error| self.classify(error))?;
        if response.status == 200 {
            // The parser's error quotes nothing that is secret: see `provisioning`.
            return serde_json::from_slice(&response.body)
                .map_err(|error| Problem::Lasting(format!("the broker's answer cannot be read: {error}")));
        }
        let refusal: Refusal = serde_json::from_slice(&response.body)
            .map_err(|_| Problem::Passing(format!("it answers with status {}", response.status)))?;
        Err(match refusal.code {
            Code::Unavailable => Problem::Passing(refusal.to_string()),
            Code::Refused | Code::BadRequest | Code::Other => {
                Problem::Lasting(format!("the broker refuses: {refusal}"))
            }
        })
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// A peer that is not the broker stays that.
    fn classify(&self, error: io::Error) -> Problem {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(why)) => Problem::Lasting(format!(
                "who answers at {} is not the broker that the image was converted for: {why}",
                self.address
            )),
            Some(rustls::Error::AlertReceived(alert)) => Problem::Lasting(format!(
                "the broker at {} does not accept this enclave's certificate ({alert:?}): its log says why",
                self.address
            )),
            _ => passing(error),
        }
    }
}

fn passing(error: io::Error) -> Problem {
    Problem::Passing(match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it takes too long".into(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Option<(String, Option<String>, Option<String>)> {
        let broker = Broker::new(url, &[]).ok()?;
        Some((broker.address, broker.deployment, broker.service))
    }

    #[test]
    fn an_address_may_name_what_is_asked_for() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("https://b"), Some(("b:443".into(), None, None)));
        assert_eq!(parts("https://b:8/"), Some(("b:8".into(), None, None)));
        assert_eq!(
            parts("https://b:8/shop"),
            Some(("b:8".into(), some("shop"), None))
        );
        assert_eq!(
            parts("https://b/shop/db"),
            Some(("b:443".into(), some("shop"), some("db")))
        );
        assert_eq!(parts("https://[::1]"), Some(("[::1]:443".into(), None, None)));
        assert_eq!(parts("https://[::1]:8"), Some(("[::1]:8".into(), None, None)));
        for wrong in ["", "b:8", "http://b", "https://", "https:///x", "https://b/c/d/e"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn instances_have_names_of_their_own() {
        assert_ne!(new_instance().unwrap(), new_instance().unwrap());
    }
}
