//! A client that fetches collateral over HTTP.
//!
//! TLS keeps others from withholding and from playing back what is old; that the collateral is genuine rests on its
//! signatures alone. Redirects are refused, answers have a largest size and every wait an end.

use std::io;
use std::thread;
use std::time::Duration;

use dcap_quote::{Collateral, Document};
use https_client::{Roots, RootsError, agent};
use pcs::{Edition, Parts, Request, Response, ResponseError, Source};

use crate::cache_dir::Wanted;

/// Bytes of the largest answer that is read: a revocation list in hexadecimal.
const MAX_BODY_SIZE: u64 = 8 << 20;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The service that is asked.
    pub source: Source,
    /// Who vouches for its TLS certificate.
    pub roots: Roots,
    /// How often, when it is in trouble.
    pub retry: Retry,
}

/// When to ask again: after connections that fail, and answers that say too many questions or trouble.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Questions in all.
    pub attempts: u32,
    /// Before the second one; twice as long each time, unless the service says how long.
    pub first_delay: Duration,
    /// A service that wants a longer pause is not waited for.
    pub longest_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(60),
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The roots are none.
    #[error("the file of trusted certificates cannot be used: {0}")]
    Roots(#[from] RootsError),
}

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The service's certificate is not trusted, or it does not speak TLS.
    #[error(
        "cannot fetch {request} from {source_name}: TLS fails ({error}); if its certificate is its own, as PCCS's usually \
             is, give that or its authority's as a file of trusted authorities"
    )]
    Tls {
        /// The request.
        request: String,
        /// The service that was asked.
        source_name: String,
        /// The cause.
        error: String,
    },
    /// There was no answer.
    #[error("cannot fetch {request} from {source_name}: {error}")]
    Transport {
        /// The request.
        request: String,
        /// The service that was asked.
        source_name: String,
        /// The cause.
        error: String,
    },
    /// The answer is none.
    #[error("cannot fetch {request} from {source_name}: {error}")]
    Response {
        /// The request.
        request: String,
        /// The service that was asked.
        source_name: String,
        /// The cause.
        error: ResponseError,
    },
}

/// Collateral that a service has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Unverified.
    pub collateral: Collateral,
    /// What the service wants people to know, each once.
    pub warnings: Vec<String>,
}

/// Asks one service.
pub struct Client {
    agent: ureq::Agent,
    source: Source,
    retry: Retry,
}

impl Client {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// When the options make no sense.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("nacre/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            agent: agent(config, &options.roots)?,
            source: options.source,
            retry: options.retry,
        })
    }

    /// Fetches the collateral of a platform, unverified.
    ///
    /// # Errors
    /// When a part cannot be had.
    pub fn fetch(&self, wanted: &Wanted, edition: Edition) -> Result<Fetched, FetchError> {
        let Wanted { tee, fmspc, ca } = *wanted;
        let encoding = self.source.list_encoding();
        let mut warnings = Vec::new();
        let mut document =
            |document, request| self.ask(request, &mut warnings, |response| response.document(document));
        let tcb_info = document(Document::TcbInfo, Request::TcbInfo { tee, fmspc, edition })?;
        let qe_identity = document(Document::QeIdentity, Request::QeIdentity { tee, edition })?;
        let pck_crl = Request::PckCrl { ca, encoding };
        let parts = Parts {
            tcb_info,
            qe_identity,
            pck_crl: self.ask(pck_crl, &mut warnings, Response::pck_crl)?,
            root_ca_crl: self.ask(Request::RootCaCrl, &mut warnings, Response::root_ca_crl)?,
        };
        Ok(Fetched {
            collateral: parts.into(),
            warnings,
        })
    }

    fn ask<T>(
        &self,
        request: Request,
        warnings: &mut Vec<String>,
        read: impl FnOnce(&Response) -> Result<T, ResponseError>,
    ) -> Result<T, FetchError> {
        let response = self.get(&request)?;
        let warning = response.warning();
        warnings.extend(warning.filter(|warning| !warnings.contains(warning)));
        read(&response).map_err(|error| FetchError::Response {
            request: request.to_string(),
            source_name: self.source.to_string(),
            error,
        })
    }

    /// Asks until there is an answer or there were enough attempts.
    fn get(&self, request: &Request) -> Result<Response, FetchError> {
        let url = self.source.url(request);
        let mut delay = self.retry.first_delay;
        let mut attempts = self.retry.attempts;
        loop {
            attempts = attempts.saturating_sub(1);
            let result = self.get_once(&url);
            let wait = match &result {
                Ok(response) => pause(response, delay),
                Err(error) => is_transient(error).then_some(delay),
            };
            match wait {
                Some(wait) if attempts > 0 && wait <= self.retry.longest_delay => thread::sleep(wait),
                _ => return result.map_err(|error| self.failure(request, &error)),
            }
            delay = delay.saturating_mul(2);
        }
    }

    fn get_once(&self, url: &str) -> Result<Response, ureq::Error> {
        let mut answer = self.agent.get(url).call()?;
        let status = answer.status().as_u16();
        // A header that is not text is nothing that is asked for.
        let fields = answer.headers().iter();
        let headers =
            fields.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let headers = headers.collect();
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_BODY_SIZE)
            .read_to_vec()?;
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    fn failure(&self, request: &Request, error: &ureq::Error) -> FetchError {
        let (request, source_name) = (request.to_string(), self.source.to_string());
        let text = error.to_string();
        if is_tls(error) {
            FetchError::Tls {
                request,
                source_name,
                error: text,
            }
        } else {
            FetchError::Transport {
                request,
                source_name,
                error: text,
            }
        }
    }
}

/// How long to wait before asking again; none when the answer is final.
fn pause(response: &Response, delay: Duration) -> Option<Duration> {
    if !matches!(response.status, 429 | 500 | 502 | 503 | 504) {
        return None;
    }
    // The other form, a date, is not worth reading: the usual pause does.
    let seconds = response
        .header("Retry-After")
        .and_then(|value| value.trim().parse().ok());
    Some(seconds.map_or(delay, Duration::from_secs))
}

/// Whether the same question may have an answer in a moment.
fn is_transient(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    !is_tls(error)
        && matches!(
            error,
            E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::HostNotFound
        )
}

fn is_tls(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        // What rustls has found, on the way through a stream.
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}
