//! JSON Web Signatures in compact form (RFC 7515): `header.payload.signature`.

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::base64;
use crate::json::{JsonError, Object};
use crate::public_key::{BadSignature, PublicKey};

/// A signature with what it signs, well-formed and unverified.
#[derive(Clone, Debug)]
pub struct Jws<'a> {
    header: Header,
    /// Header and payload as they were sent.
    signed: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// The header of a signature: a claim, also where it says how to verify it.
#[derive(Clone, Debug)]
pub struct Header {
    members: Object,
    alg: String,
    kid: Option<String>,
}

/// Why text is not a signature in compact form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Larger than is ever of use.
    #[error("it has {0} bytes, and at most {max} are read", max = Jws::MAX_SIZE)]
    TooLarge(usize),
    /// Not `header.payload.signature`.
    #[error("it does not have the three parts header.payload.signature")]
    Parts,
    /// Another alphabet, padding, or bits that nothing stands for.
    #[error("its {0} is not base64url without padding")]
    Base64(&'static str),
    /// The header is not an object of JSON.
    #[error("its header cannot be read: {0}")]
    HeaderJson(#[from] JsonError),
    /// A member of the header is missing or of another type.
    #[error("the header's member {0:?} is missing or not a text of at most {MAX_NAME} bytes")]
    HeaderMember(&'static str),
    /// The signer demands that extensions are understood (RFC 7515, section 4.1.11).
    #[error("it demands an extension (crit); none is supported")]
    Critical,
    /// `x5c` is not a list of certificates.
    #[error("x5c in its header is not a list of 1 to {MAX_CERTIFICATES} certificates in base64")]
    Certificates,
}

/// Bytes of `alg` and `kid` at most: errors repeat them.
const MAX_NAME: usize = 256;

/// Certificates in a header at most.
const MAX_CERTIFICATES: usize = 10;

impl<'a> Jws<'a> {
    /// Bytes of the largest one that is read. Tokens have 2 to 20 KB; policies may be larger.
    pub const MAX_SIZE: usize = 1 << 20;

    /// Reads one that takes up all of `text`.
    ///
    /// The signature may be empty, as in unsecured ones (RFC 7515, appendix A.5): it verifies with no key.
    ///
    /// # Errors
    /// When the text is too large, does not have three parts, a part is not base64url without padding, or the header is
    /// not an object with a text as `alg` and no `crit`. The payload is not looked at.
    pub fn parse(text: &'a str) -> Result<Self, JwsError> {
        if text.len() > Self::MAX_SIZE {
            return Err(JwsError::TooLarge(text.len()));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Parts)?;
        if payload.contains('.') {
            return Err(JwsError::Parts);
        }
        let decode = |part, text| base64::decode_url(text).map_err(|_| JwsError::Base64(part));
        let header = decode("header", header)?;
        Ok(Self {
            header: Header::parse(header)?,
            signed: signed.as_bytes(),
            payload: decode("payload", payload)?,
            signature: decode("signature", signature)?,
        })
    }

    /// What it says about itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether there is no signature at all.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.signature.is_empty()
    }

    /// The payload, which nobody vouches for.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if `key` signed it by `algorithm`.
    ///
    /// Both come from the caller, who knows the key and what it signs with; the header's `alg` is not asked.
    ///
    /// # Errors
    /// When the signature is not by this key, or the algorithm is not one for this kind of key.
    pub fn verify(&self, key: &PublicKey, algorithm: Algorithm) -> Result<&[u8], BadSignature> {
        key.verify(algorithm, self.signed, &self.signature)?;
        Ok(&self.payload)
    }

    /// The payload, after it was verified.
    pub(crate) fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// As [`verify`](Self::verify), by the algorithm that a key of this kind stands for: RS256, ES256 or ES384.
    ///
    /// # Errors
    /// When the signature is not by this key.
    pub fn verify_with(&self, key: &PublicKey) -> Result<&[u8], BadSignature> {
        self.verify(key, key.algorithm())
    }
}

impl Header {
    fn parse(json: Vec<u8>) -> Result<Self, JwsError> {
        let members = Object::parse(json)?;
        if members.contains("crit") {
            return Err(JwsError::Critical);
        }
        let text = |name: &'static str| match members.text(name) {
            Some(text) if text.len() <= MAX_NAME => Ok(Some(text.into_owned())),
            None if !members.contains(name) => Ok(None),
            _ => Err(JwsError::HeaderMember(name)),
        };
        let (alg, kid) = (text("alg")?, text("kid")?);
        Ok(Self {
            alg: alg.ok_or(JwsError::HeaderMember("alg"))?,
            kid,
            members,
        })
    }

    /// `alg` as it stands there, which may be `none` or the name of nothing.
    #[must_use]
    pub fn alg(&self) -> &str {
        &self.alg
    }

    /// `alg`, if it is one of the algorithms with a public key.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(&self.alg)
    }

    /// Which key it claims to be signed by.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Any member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Value> {
        self.members.member(name)
    }

    /// DER of the certificates that the signer sent along, in `x5c` or, as Azure's client for Python writes it, in
    /// `jwk.x5c`; none if there are none. The first is claimed to be the signer's. Nothing is verified.
    ///
    /// # Errors
    /// When `x5c` is not a list of certificates in base64.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, JwsError> {
        let in_key = || self.member("jwk").and_then(|key| key.get("x5c").cloned());
        let Some(list) = self.member("x5c").or_else(in_key) else {
            return Ok(Vec::new());
        };
        let list = list.as_array().ok_or(JwsError::Certificates)?;
        if list.is_empty() || list.len() > MAX_CERTIFICATES {
            return Err(JwsError::Certificates);
        }
        let decode = |text: &Value| base64::decode_standard(text.as_str()?).ok();
        let certificates: Option<Vec<_>> = list.iter().map(decode).collect();
        certificates.ok_or(JwsError::Certificates)
    }
}
