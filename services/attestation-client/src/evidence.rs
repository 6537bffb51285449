//! Evidence: the quote and the data that a service is asked to attest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A quote, and what it vouches for.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    quote: &'a [u8],
    runtime_data: Option<RuntimeData<'a>>,
    nonce: Option<&'a str>,
}

/// Data whose SHA-256 is the first half of the quote's report data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeData<'a> {
    /// Any bytes; the token has them as `x-ms-sgx-ehd`.
    Binary(&'a [u8]),
    /// JSON; the token has it as `x-ms-runtime`.
    Json(&'a str),
}

impl<'a> Evidence<'a> {
    /// This quote, as the platform made it.
    #[must_use]
    pub const fn new(quote: &'a [u8]) -> Self {
        Self {
            quote,
            runtime_data: None,
            nonce: None,
        }
    }

    /// The quote vouches for this data; a token is accepted only if it says so.
    #[must_use]
    pub const fn runtime_data(mut self, data: RuntimeData<'a>) -> Self {
        self.runtime_data = Some(data);
        self
    }

    /// The token must repeat this, so that it is not an old one.
    #[must_use]
    pub const fn nonce(mut self, nonce: &'a str) -> Self {
        self.nonce = Some(nonce);
        self
    }

    pub(crate) fn data(&self) -> Option<&'a [u8]> {
        match self.runtime_data {
            Some(RuntimeData::Binary(data)) => Some(data),
            Some(RuntimeData::Json(text)) => Some(text.as_bytes()),
            None => None,
        }
    }

    pub(crate) const fn expected_nonce(&self) -> Option<&'a str> {
        self.nonce
    }

    /// The request's body.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "quote": URL_SAFE_NO_PAD.encode(self.quote) });
        if let (Some(data), Some(kind)) = (self.data(), self.runtime_data) {
            body["runtimeData"] = json!({
                "data": URL_SAFE_NO_PAD.encode(data),
                "dataType": match kind {
                    RuntimeData::Binary(_) => "Binary",
                    RuntimeData::Json(_) => "JSON",
                },
            });
        }
        if let Some(nonce) = self.nonce {
            body["nonce"] = json!(nonce);
        }
        body
    }
}
