//! Requests over HTTPS to one service, and its answers within limits.

use std::time::Duration;

use https_client::{Roots, agent};
use printable_text::printable;
use serde_json::Value;
use ureq::{Agent, Body, http};

use crate::error::ClientError;

/// For a request from the beginning to the end.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer at most.
const MAX_ANSWER_SIZE: u64 = 1 << 20;
/// Characters of the service's words in an error.
const MAX_MESSAGE: usize = 500;

/// Speaks with one service.
#[derive(Debug)]
pub(crate) struct Https {
    agent: Agent,
    /// Without a slash at the end.
    base: String,
}

impl Https {
    pub(crate) fn new(url: &str, authority: &[u8]) -> Result<Self, ClientError> {
        let address = || ClientError::Address(url.to_owned());
        let base = url.strip_suffix('/').unwrap_or(url);
        let parsed: http::Uri = base.parse().map_err(|_| address())?;
        let has_path = parsed.path_and_query().is_some_and(|path| path.as_str() != "/");
        if parsed.scheme_str() != Some("https") || parsed.host().is_none_or(str::is_empty) || has_path {
            return Err(address());
        }
        let config = Agent::config_builder()
            .https_only(true)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("nacre/", env!("CARGO_PKG_VERSION")));
        let agent = agent(config, &Roots::Only(authority.to_vec()));
        Ok(Self {
            agent: agent.map_err(|error| ClientError::Authority(error.to_string()))?,
            base: base.to_owned(),
        })
    }

    /// The service's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let url = self.url(path);
        let answer = self.agent.get(&url).header("accept", "application/json").call();
        read(url, answer)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Vec<u8>, ClientError> {
        let url = self.url(path);
        let answer = self
            .agent
            .post(&url)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .send(body.to_string());
        read(url, answer)
    }

    /// A request about policies, by who has this bearer token; with a body of plain text, or none.
    pub(crate) fn manage(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Option<&str>,
    ) -> Result<Vec<u8>, ClientError> {
        let url = self.url(path);
        let mut request = http::Request::builder()
            .method(method)
            .uri(&url)
            .header("accept", "application/json");
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = match body {
            None => request.body(()).map(|request| self.agent.run(request)),
            Some(body) => request
                .header("content-type", "text/plain")
                .body(body)
                .map(|request| self.agent.run(request)),
        };
        // A token with characters that no header can have.
        let answer = answer.map_err(|_| ClientError::Bearer)?;
        read(url, answer)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn read(url: String, answer: Result<http::Response<Body>, ureq::Error>) -> Result<Vec<u8>, ClientError> {
    let transport = |url: &str, error| ClientError::Transport {
        url: url.to_owned(),
        error: Box::new(error),
    };
    let mut answer = answer.map_err(|error| transport(&url, error))?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER_SIZE)
        .read_to_vec();
    let body = body.map_err(|error| transport(&url, error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(body);
    }
    let error: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str, otherwise: &str| {
        let text = error["error"][name].as_str().unwrap_or(otherwise);
        excerpt(text)
    };
    Err(ClientError::Service {
        url,
        status: status.as_u16(),
        code: text("code", status.canonical_reason().unwrap_or_default()),
        message: text("message", "it does not say why"),
    })
}

/// The beginning of what the service says.
fn excerpt(text: &str) -> String {
    printable(text).chars().take(MAX_MESSAGE).collect()
}
