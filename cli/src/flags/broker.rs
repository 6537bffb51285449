//! The flags that name a key broker and who asks it, and a client of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use https_client::{Hello, named_agent};
use printable_text::printable;
use serde::de::DeserializeOwned;
use ureq::{Agent, http};
use zeroize::Zeroizing;

use crate::input;

/// More than a certificate or a key takes up.
const MAX_PEM_SIZE: u64 = 64 << 10;
/// Bytes of the largest answer: a backup.
const MAX_ANSWER_SIZE: u64 = 4 << 30;
/// For a request from the beginning to the end.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A broker, and the certificate with which it is asked.
#[derive(Args, Debug)]
pub struct BrokerFlags {
    /// The address of the key broker, for example `https://broker.example:8444`
    // It may be left out where there is something else to ask, of which `required` is taken away.
    #[arg(long, value_name = "URL", required = true)]
    broker: Option<String>,

    /// Certificate of the broker's authority (PEM), which nacre broker trust has written
    #[arg(long, value_name = "FILE", required = true)]
    broker_ca: Option<PathBuf>,

    /// Your client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,

    /// The private key of your client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
}

/// Asks a broker.
pub struct BrokerClient {
    agent: Agent,
    base: String,
}

/// What the broker answers to what it does.
pub struct Answer {
    pub status: u16,
    /// The value of the header `nacre-next`.
    pub next: Option<u64>,
    pub body: Vec<u8>,
}

impl BrokerFlags {
    /// A client of the broker. Nothing is sent yet.
    pub fn client(&self) -> Result<BrokerClient> {
        let broker = self.broker.as_deref().context("name the broker with --broker")?;
        let ca = self
            .broker_ca
            .as_deref()
            .context("name the certificate of its authority with --broker-ca")?;
        let ca = input::read(ca, MAX_PEM_SIZE)?;
        let identity = match (&self.cert, &self.cert_key) {
            (Some(certificate), Some(key)) => {
                let key = Zeroizing::new(input::read(key, MAX_PEM_SIZE)?);
                Some((input::read(certificate, MAX_PEM_SIZE)?, key))
            }
            _ => None,
        };
        let hello = Hello {
            identity,
            ..Hello::default()
        };
        BrokerClient::new(broker, &ca, &hello)
    }
}

impl BrokerClient {
    /// A client that believes these certificates (PEM).
    ///
    /// # Errors
    /// When the address is none, or the certificates cannot be used.
    pub fn new(url: &str, ca: &[u8], hello: &Hello) -> Result<Self> {
        let base = url.trim_end_matches('/');
        let parsed: http::Uri = base.parse().with_context(|| format!("{url} is no address"))?;
        let has_path = parsed.path_and_query().is_some_and(|path| path.as_str() != "/");
        if parsed.scheme_str() != Some("https") || parsed.host().is_none_or(str::is_empty) || has_path {
            bail!("{url} is not the address of a broker; write https://HOST:PORT");
        }
        let config = Agent::config_builder()
            .https_only(true)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("nacre/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            agent: named_agent(config, ca, hello).context("the certificates cannot be used")?,
            base: base.to_owned(),
        })
    }

    /// Sends a request. The inner error is the broker's refusal, in its words.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Result<Answer, String>> {
        let url = format!("{}{path}", self.base);
        let request = http::Request::builder()
            .method(method)
            .uri(&url)
            .header("content-type", "application/json")
            .body(body)?;
        let answer = self.agent.run(request);
        let mut answer = answer.with_context(|| format!("{} does not answer", self.base))?;
        let status = answer.status().as_u16();
        let next = answer.headers().get("nacre-next");
        let next = next.and_then(|next| next.to_str().ok()?.parse().ok());
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_SIZE)
            .read_to_vec();
        let body = body.with_context(|| format!("the answer of {} broke off", self.base))?;
        if (200..300).contains(&status) {
            return Ok(Ok(Answer { status, next, body }));
        }
        let error: Result<serde_json::Value, _> = serde_json::from_slice(&body);
        let message = error
            .ok()
            .and_then(|error| Some(error["error"]["message"].as_str()?.to_owned()));
        Ok(Err(match message {
            Some(message) => printable(&message).to_string(),
            None => format!("the broker answers with status {status}"),
        }))
    }

    /// Asks for a document in JSON.
    ///
    /// # Errors
    /// When there is no answer, or it is another one.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Result<T, String>> {
        let answer = self.ask("GET", path, b"")?;
        let read = |answer: Answer| serde_json::from_slice(&answer.body);
        answer
            .map(|answer| {
                read(answer).context("the broker's answer cannot be understood; is it of another version?")
            })
            .map_or_else(|refusal| Ok(Err(refusal)), |read| read.map(Ok))
    }
}

/// Prints a refusal: status 1.
pub fn unless_refused<T>(result: Result<T, String>, done: impl FnOnce(T) -> Result<()>) -> Result<ExitCode> {
    match result {
        Ok(value) => {
            done(value)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            eprintln!("nacre: the broker refuses: {refusal}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// A name in a path.
///
/// # Errors
/// When it is no name of a deployment, a service or a secret.
pub fn name(text: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err("names have letters, digits, '.', '_' and '-'".to_owned())
    }
}

/// A time in an answer.
pub fn time(seconds: &serde_json::Value) -> String {
    let seconds = seconds.as_u64();
    seconds.map_or_else(
        || "-".to_owned(),
        |seconds| dcap_quote::UnixTime(seconds).to_string(),
    )
}

/// A text in an answer.
pub fn text(value: &serde_json::Value) -> String {
    printable(value.as_str().unwrap_or("-")).to_string()
}
