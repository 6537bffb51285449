//! Content digests, and readers that check them.
//!
//! SHA-256 only: it is the one algorithm that every registry and tool accepts, and the one all images use.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use base16ct::lower;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A SHA-256 digest, written `sha256:<64 lower-case hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits, without the algorithm's name.
    pub fn hex(&self) -> String {
        lower::encode_string(&self.0)
    }

    /// Reads 64 lower-case hex digits.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let decoded = lower::decode(hex, &mut bytes).ok()?;
        if decoded.len() != 32 {
            return None;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a digest that we read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest of the form sha256:<64 lower-case hex digits>")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        text.strip_prefix("sha256:")
            .and_then(Self::from_hex)
            .ok_or_else(|| NotADigest(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A digest as documents name it: one that we check, or one of another algorithm, of a blob that we cannot use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum AnyDigest {
    Sha256(Digest),
    /// `algorithm:digits`.
    Other(String),
}

impl fmt::Display for AnyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => digest.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl TryFrom<String> for AnyDigest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        match text.split_once(':') {
            Some(("sha256", _)) => Ok(Self::Sha256(text.parse()?)),
            Some((algorithm, digits)) if !algorithm.is_empty() && !digits.is_empty() => Ok(Self::Other(text)),
            _ => Err(NotADigest(text)),
        }
    }
}

impl From<AnyDigest> for String {
    fn from(digest: AnyDigest) -> Self {
        digest.to_string()
    }
}

/// SHA-256 over a stream.
#[derive(Default)]
pub(crate) struct Hasher(sha2::Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// What was read is not what its digest promised.
#[derive(Debug, thiserror::Error)]
#[error("{what} has the digest {actual} instead of {expected}: the image is damaged, or was changed")]
pub struct DigestMismatch {
    what: &'static str,
    expected: Digest,
    actual: Digest,
}

/// Checks that `bytes` has the digest `expected`.
pub(crate) fn verify(what: &'static str, bytes: &[u8], expected: Digest) -> Result<(), DigestMismatch> {
    let actual = Digest::of(bytes);
    if actual == expected {
        Ok(())
    } else {
        Err(DigestMismatch {
            what,
            expected,
            actual,
        })
    }
}

/// Passes bytes through and checks their digest when the last one has been read.
pub(crate) struct VerifyingReader<R> {
    inner: R,
    /// `None` once the end was reached and the digest agreed.
    hasher: Option<Hasher>,
    expected: Digest,
    what: &'static str,
}

impl<R: Read> VerifyingReader<R> {
    pub(crate) fn new(what: &'static str, inner: R, expected: Digest) -> Self {
        Self {
            inner,
            hasher: Some(Hasher::default()),
            expected,
            what,
        }
    }

    /// Reads what is left, so that the digest is checked even if the consumer needed no more bytes.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        let mut scratch = vec![0; 128 << 10];
        while self.read(&mut scratch)? != 0 {}
        Ok(())
    }

    pub(crate) fn inner_mut(&mut self) -> &mut R {
        &mut self.inner
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(buffer)?;
        match &mut self.hasher {
            Some(hasher) if count > 0 => hasher.update(buffer.get(..count).unwrap_or_default()),
            hasher => {
                if let Some(hasher) = hasher.take() {
                    let actual = hasher.finish();
                    if actual != self.expected {
                        let mismatch = DigestMismatch {
                            what: self.what,
                            expected: self.expected,
                            actual,
                        };
                        return Err(io::Error::new(io::ErrorKind::InvalidData, mismatch));
                    }
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn prints_and_parses() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
        for bad in [
            "",
            "sha256:",
            "md5:00",
            &EMPTY.to_uppercase(),
            &EMPTY[..70],
            &format!("{EMPTY}0"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_of_other_algorithms_are_kept_as_they_are() {
        let read = |text: &str| AnyDigest::try_from(text.to_owned());
        assert_eq!(read(EMPTY), Ok(AnyDigest::Sha256(Digest::of(b""))));
        assert_eq!(read("sha512:cf83").unwrap().to_string(), "sha512:cf83");
        for bad in ["", "sha512", "sha512:", ":cf83", "sha256:cf83"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_changed_stream_fails_at_its_end() {
        let read = |bytes: &'static [u8]| {
            let mut out = Vec::new();
            VerifyingReader::new("blob", bytes, Digest::of(b"right"))
                .read_to_end(&mut out)
                .map(|_| out)
        };
        assert_eq!(read(b"right").unwrap(), b"right");
        assert!(read(b"wrong").unwrap_err().to_string().contains("damaged"));
        assert!(read(b"righ").is_err());
    }

    #[test]
    fn draining_checks_the_rest() {
        let mut reader = VerifyingReader::new("blob", &b"wrong"[..], Digest::of(b"right"));
        let mut first = [0; 2];
        reader.read_exact(&mut first).unwrap();
        assert!(reader.drain().is_err());
    }
}
