//! People, and the programs that act for them: known by the certificates with which they come.

use aws_lc_rs::digest::{SHA256, digest};
use dcap_quote::{Bytes, UnixTime};
use deployment_policy::Principal;
use serde::{Deserialize, Serialize};
use x509_cert::der::{Decode as _, Encode as _};

use crate::audit::Actor;
use crate::problem::Problem;

/// Somebody, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    certificate: Bytes<32>,
    public_key: Bytes<32>,
}

impl Person {
    /// Whoever has shown this certificate (DER), and has its key.
    pub fn of(certificate: &[u8], now: UnixTime) -> Result<Self, Problem> {
        let parsed = x509_cert::Certificate::from_der(certificate);
        let parsed = parsed.map_err(|_| Problem::Certificate("it is not an X.509 certificate"))?;
        let content = parsed.tbs_certificate();
        let validity = content.validity();
        let from = validity.not_before.to_unix_duration().as_secs();
        let until = validity.not_after.to_unix_duration().as_secs();
        if !(from..=until).contains(&now.0) {
            return Err(Problem::Certificate("it is not valid at this time"));
        }
        let info = content.subject_public_key_info().to_der();
        let info = info.map_err(|_| Problem::Certificate("it is not an X.509 certificate"))?;
        Ok(Self {
            certificate: sha256(certificate),
            public_key: sha256(&info),
        })
    }

    pub const fn principal(&self) -> Principal {
        Principal {
            certificate: self.certificate,
            public_key: self.public_key,
        }
    }

    pub fn actor(&self) -> Actor {
        Actor::Person {
            certificate: self.name(),
        }
    }

    /// SHA-256 of the certificate in hexadecimal.
    pub fn name(&self) -> String {
        self.certificate.to_string()
    }
}

fn sha256(bytes: &[u8]) -> Bytes<32> {
    let mut hash = [0; 32];
    let digest = digest(&SHA256, bytes);
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    Bytes(hash)
}
