//! Management of a service's policies: what is in force, and changes by those who hold the admin token.
//!
//! The service's answers are tokens by the key that it also signs attestations with. They are read without a look at that
//! signature: TLS shows who answers, and nobody shows these answers to others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::client::Client;
use crate::error::ClientError;
use crate::https::Https;

/// The oldest stable version has all of it.
const API_VERSION: &str = "2022-08-01";
/// A JSON Web Signature over nothing, by nobody: where policies need not be signed, this resets one.
const UNSIGNED_NOTHING: &str = "eyJhbGciOiJub25lIn0..";

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// SGX enclaves.
    SgxEnclave,
    /// SGX enclaves of the Open Enclave SDK.
    OpenEnclave,
    /// TDX trust domains.
    TdxVm,
}

impl PolicyKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SgxEnclave, Self::OpenEnclave, Self::TdxVm];

    /// As the protocol calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SgxEnclave => "SgxEnclave",
            Self::OpenEnclave => "OpenEnclave",
            Self::TdxVm => "TdxVm",
        }
    }

    fn path(self, action: &str) -> String {
        format!("/policies/{}{action}?api-version={API_VERSION}", self.name())
    }
}

/// A service's policies, as somebody may see and change them.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    https: &'a Https,
    admin: Option<&'a str>,
}

impl Client {
    /// The policies of the service, for who holds this admin token. Without one, many services only show them.
    #[must_use]
    pub const fn policies<'a>(&'a self, admin: Option<&'a str>) -> Policies<'a> {
        Policies {
            https: self.https(),
            admin,
        }
    }
}

impl Policies<'_> {
    /// The text of the policy in force.
    ///
    /// # Errors
    /// When the service does not show it, or does not answer in the protocol.
    pub fn get(&self, kind: PolicyKind) -> Result<String, ClientError> {
        let path = kind.path("");
        let answer = self.https.manage("GET", &path, self.admin, None)?;
        let policy = || {
            let jws = claims(&answer)?.get("x-ms-policy")?.as_str()?.to_owned();
            let policy: Payload = serde_json::from_slice(&payload(&jws)?).ok()?;
            String::from_utf8(decode(&policy.text)?).ok()
        };
        policy().ok_or_else(|| self.form(&path, "a token with a policy"))
    }

    /// Sets a policy: its text, or where policies must be signed a JSON Web Signature of it.
    ///
    /// # Errors
    /// When the service refuses, or does not answer in the protocol.
    pub fn set(&self, kind: PolicyKind, policy: &str) -> Result<(), ClientError> {
        self.change("PUT", &kind.path(""), policy, "Updated")
    }

    /// Goes back to the service's default policy. Where policies must be signed, `signed` is a signature over nothing.
    ///
    /// # Errors
    /// As [`Policies::set`].
    pub fn reset(&self, kind: PolicyKind, signed: Option<&str>) -> Result<(), ClientError> {
        let body = signed.unwrap_or(UNSIGNED_NOTHING);
        self.change("POST", &kind.path(":reset"), body, "Removed")
    }

    fn change(&self, method: &str, path: &str, body: &str, expected: &str) -> Result<(), ClientError> {
        let answer = self.https.manage(method, path, self.admin, Some(body))?;
        let result = claims(&answer).and_then(|claims| claims.get("x-ms-policy-result").cloned());
        match result {
            Some(Value::String(result)) if result == expected => Ok(()),
            _ => Err(self.form(path, "a token that says that the policy was changed")),
        }
    }

    fn form(&self, path: &str, expected: &'static str) -> ClientError {
        ClientError::Form {
            url: self.https.url(path),
            expected,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "AttestationPolicy")]
    text: String,
}

/// The claims of the token in an answer.
fn claims(answer: &[u8]) -> Option<Value> {
    let Answer { token } = serde_json::from_slice(answer).ok()?;
    serde_json::from_slice(&payload(&token)?).ok()
}

/// The payload of a JSON Web Signature.
fn payload(jws: &str) -> Option<Vec<u8>> {
    decode(jws.split('.').nth(1)?)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_over_nothing_says_so() {
        let header = UNSIGNED_NOTHING.split('.').next().and_then(decode);
        assert_eq!(header.as_deref(), Some(&b"{\"alg\":\"none\"}"[..]));
        assert_eq!(payload(UNSIGNED_NOTHING), Some(Vec::new()));
    }

    #[test]
    fn answers_in_another_form_are_noticed() {
        for answer in [
            "",
            "{}",
            "{\"token\": 1}",
            "{\"token\": \"a\"}",
            "{\"token\": \"a.!.c\"}",
            "{\"token\": \"a.YQ.c\"}",
        ] {
            assert_eq!(claims(answer.as_bytes()), None, "{answer}");
        }
    }
}
