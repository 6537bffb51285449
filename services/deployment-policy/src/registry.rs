//! A public registry of a cloud's hosts, in Google's form: what it is asked, and what its answers mean. Others do the asking.
//!
//! `GET {base}/confidential-host-registry/{PPID}` answers 200 with a JSON document for a host of the cloud, and 404 with an
//! XML error of the code `NoSuchKey` for any other (github.com/google/go-tdx-guest, `gce/provenance.go`, commit 140c863). All
//! other answers say nothing: a 403, for one, is about the bucket, not about the host.

use dcap_quote::Bytes;

use crate::document::{Lifetime, RegistryUrl};
use crate::evidence::Registered;

/// What has to be asked of a registry of hosts before an enclave can be authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryQuestion<'a> {
    /// The registry's base URL.
    pub url: &'a RegistryUrl,
    /// The host, by the PPID of its PCK certificate.
    pub ppid: Bytes<16>,
    /// How old an answer that is kept may be.
    pub max_age: Lifetime,
}

impl RegistryQuestion<'_> {
    /// The largest body of an answer, in bytes; a larger one says nothing.
    pub const MAX_ANSWER: usize = 16 << 10;

    /// The URL to get.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}/confidential-host-registry/{}", self.url, self.ppid)
    }

    /// What an answer says, given its status and its body.
    #[must_use]
    pub fn answer(status: u16, body: &[u8]) -> Registered {
        let is_document =
            || serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|document| document.is_object());
        let is_no_such_key =
            || std::str::from_utf8(body).is_ok_and(|text| text.contains("<Code>NoSuchKey</Code>"));
        match status {
            _ if body.len() > Self::MAX_ANSWER => Registered::Unavailable,
            200 if is_document() => Registered::Yes,
            404 if is_no_such_key() => Registered::No,
            _ => Registered::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_ask() {
        let question = RegistryQuestion {
            url: &"https://hosts.example/base".parse().unwrap(),
            ppid: Bytes([0xab; 16]),
            max_age: Lifetime::days(1),
        };
        assert_eq!(
            question.address(),
            "https://hosts.example/base/confidential-host-registry/abababababababababababababababab"
        );
    }

    #[test]
    fn only_two_answers_say_something() {
        let no_such_key = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>";
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(RegistryQuestion::MAX_ANSWER));
        for (status, body, expected) in [
            (200, b"{}".as_slice(), Registered::Yes),
            (200, b"{\"zone\": \"a\"}", Registered::Yes),
            (200, b"", Registered::Unavailable),
            (200, b"[]", Registered::Unavailable),
            (200, b"<html>Sign in</html>", Registered::Unavailable),
            (200, large.as_bytes(), Registered::Unavailable),
            (204, b"{}", Registered::Unavailable),
            (302, b"{}", Registered::Unavailable),
            (404, no_such_key, Registered::No),
            (404, b"{}", Registered::Unavailable),
            (
                404,
                b"<Error><Code>NoSuchBucket</Code></Error>",
                Registered::Unavailable,
            ),
            (404, b"not found", Registered::Unavailable),
            (403, no_such_key, Registered::Unavailable),
            (500, b"", Registered::Unavailable),
        ] {
            assert_eq!(RegistryQuestion::answer(status, body), expected, "{status}");
        }
    }
}
