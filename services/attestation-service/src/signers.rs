//! Policy signers: certificates, and the JSON Web Signatures by their owners.
//!
//! Without any certificate, requests may be unsigned, and a signature says only by whom; who may send requests is decided
//! elsewhere. With certificates, only their owners' signatures count: nothing unsigned, and no other certificate, whatever it
//! chains to. The key is the certificate's; the algorithm must be one for such a key.

use attestation_token::{Algorithm, Jws, PublicKey};
use serde_json::{Value, json};

use crate::api::base64;
use crate::error::{ApiError, ErrorCode};

/// The certificates whose owners may change policies.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicySigners {
    certificates: Vec<SignerCertificate>,
}

/// A certificate with a key that can be used.
#[derive(Clone, Debug)]
pub(crate) struct SignerCertificate {
    der: Vec<u8>,
    key: PublicKey,
}

/// What a request says, and by whom it is signed.
#[derive(Debug)]
pub(crate) struct Signed {
    pub payload: Vec<u8>,
    pub signer: Option<SignerCertificate>,
}

impl SignerCertificate {
    /// Reads a certificate in DER. Who names it vouches for it: its own issuer, dates and extensions mean nothing.
    pub fn parse(der: Vec<u8>) -> Result<Self, ApiError> {
        let key = PublicKey::from_certificate(&der).map_err(|error| {
            ErrorCode::InvalidParameter.because(format!("the policy signer's certificate: {error}"))
        })?;
        Ok(Self { der, key })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// As a JSON Web Key with the certificate in `x5c`, which is all that Azure's clients read.
    pub fn jwk(&self) -> Value {
        let algorithm = self.key.algorithm();
        let kty = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => "EC",
            _ => "RSA",
        };
        json!({
            "kty": kty,
            "alg": algorithm.name(),
            "use": "sig",
            "x5c": [base64::encode_standard(&self.der)],
        })
    }
}

impl PolicySigners {
    pub fn new(certificates: Vec<SignerCertificate>) -> Self {
        Self { certificates }
    }

    /// Whether requests must be signed.
    pub fn is_required(&self) -> bool {
        !self.certificates.is_empty()
    }

    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    pub fn contains(&self, der: &[u8]) -> bool {
        self.certificates.iter().any(|certificate| certificate.der == der)
    }

    /// All of them (RFC 7517).
    pub fn key_set(&self) -> Value {
        let keys = self.certificates.iter().map(SignerCertificate::jwk);
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// Reads a signed request, or where that is allowed an unsigned one.
    ///
    /// # Errors
    /// When it is no JSON Web Signature, or not one by whom it must be.
    pub fn authenticate(&self, text: &str) -> Result<Signed, ApiError> {
        let jws = Jws::parse(text)
            .map_err(|error| invalid(format!("the body is not a JSON Web Signature: {error}")))?;
        if jws.header().alg() == "none" {
            return self.unsigned(&jws);
        }
        let certificates = jws
            .header()
            .certificates()
            .map_err(|error| invalid(error.to_string()))?;
        let der = certificates
            .into_iter()
            .next()
            .ok_or_else(|| invalid("the signature's header has no certificate (x5c, or jwk with x5c)"))?;
        if self.is_required() && !self.contains(&der) {
            return Err(refused(
                "it is signed with a certificate that is not one of the policy signers",
            ));
        }
        let signer = SignerCertificate::parse(der)?;
        verify(&jws, &signer.key)?;
        Ok(Signed {
            payload: jws.unverified_payload().to_vec(),
            signer: Some(signer),
        })
    }

    fn unsigned(&self, jws: &Jws<'_>) -> Result<Signed, ApiError> {
        if self.is_required() {
            return Err(refused(
                "it is not signed; this service takes policies from its policy signers only",
            ));
        }
        if !jws.is_unsigned() {
            return Err(invalid("the algorithm is none, and yet there is a signature"));
        }
        Ok(Signed {
            payload: jws.unverified_payload().to_vec(),
            signer: None,
        })
    }
}

/// Azure's client for Python calls RS256 `RSA256`. (What it calls elliptic keys' algorithm does not matter: it cannot sign with them.)
fn verify(jws: &Jws<'_>, key: &PublicKey) -> Result<(), ApiError> {
    let name = jws.header().alg();
    let algorithm = match name {
        "RSA256" => Some(Algorithm::Rs256),
        _ => jws.header().algorithm(),
    };
    let algorithm = algorithm.ok_or_else(|| {
        invalid(format!(
            "the algorithm {name:?} is not supported; there are {}",
            Algorithm::ALL.map(Algorithm::name).join(", ")
        ))
    })?;
    // Fails as well when the algorithm is none for such a key.
    let verified = jws.verify(key, algorithm);
    verified
        .map(|_| ())
        .map_err(|_| refused("its signature is not by the key of the certificate in its header"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ErrorCode::InvalidParameter.because(message)
}

fn refused(message: &str) -> ApiError {
    ErrorCode::InvalidOperation.because(format!("the request is refused: {message}"))
}
