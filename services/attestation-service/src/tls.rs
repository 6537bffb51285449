//! The TLS certificate of the service: a given one, or one that it makes for its addresses.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dcap_quote::{UnixTime, Validity};
use der::Decode as _;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use zeroize::Zeroizing;

/// In the state directory.
const CERTIFICATE_FILE: &str = "tls.pem";
const KEY_FILE: &str = "tls.key";
const DAY: u64 = 24 * 60 * 60;
/// Seconds for which a certificate is made; clients pin it.
const CERTIFICATE_LIFETIME: u64 = 825 * DAY;
/// Seconds. A certificate that is valid for less is replaced when the service starts.
const RENEWAL_THRESHOLD: u64 = 30 * DAY;

/// A certificate chain and its key, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// From the leaf on.
    pub certificate: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file system says so.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// The operation that failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Not PEM of the right kind.
    #[error("{} has no {what} in PEM", path.display())]
    Pem {
        /// What is missing.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The key is another certificate's, or of a kind that TLS does not take.
    #[error("the certificate in {} and the key in {} cannot be used together: {error}", files.certificate.display(), files.key.display())]
    Pair {
        /// Certificate and key.
        files: TlsFiles,
        /// The cause.
        error: rustls::Error,
    },
    /// Expired, or not valid yet.
    #[error("the certificate in {} is valid from {} until {}, and it is {now}; give a valid one", path.display(), validity.from, validity.until)]
    NotValid {
        /// The file.
        path: PathBuf,
        /// When it would be valid.
        validity: Validity,
        /// The time.
        now: UnixTime,
    },
    /// Certificate without its key, or the other way round.
    #[error("there is {}, but not {}; put the missing file back, or remove both, and new ones are made", found.display(), missing.display())]
    Half {
        /// This one is there.
        found: PathBuf,
        /// This one is not.
        missing: PathBuf,
    },
    /// The certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

impl TlsFiles {
    /// The files that the service makes and keeps itself.
    #[must_use]
    pub fn own(directory: &Path) -> Self {
        Self {
            certificate: directory.join(CERTIFICATE_FILE),
            key: directory.join(KEY_FILE),
        }
    }

    /// Configuration for TLS with given files.
    ///
    /// # Errors
    /// When they cannot be read, do not belong together or are not valid.
    pub(crate) fn load(&self, now: UnixTime) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = self.read()?;
        let validity = chain.first().and_then(|leaf| validity(leaf));
        let validity = validity.ok_or_else(|| self.no_certificate())?;
        if !validity.contains(now) {
            return Err(TlsError::NotValid {
                path: self.certificate.clone(),
                validity,
                now,
            });
        }
        serving::tls_config(chain, key).map_err(|error| TlsError::Pair {
            files: self.clone(),
            error,
        })
    }

    /// The same with own files, which are made for these names if they are not there, expire soon or lack a name.
    ///
    /// # Errors
    /// When files that are there cannot be used, or new ones not be made.
    pub(crate) fn load_or_make(
        &self,
        names: &[String],
        now: UnixTime,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        match (self.certificate.exists(), self.key.exists()) {
            (false, false) => self.make(names, now)?,
            (true, true) => {
                let (chain, _) = self.read()?;
                let leaf = chain.first().ok_or_else(|| self.no_certificate())?;
                if !serves(leaf, names, now) {
                    tracing::warn!(
                        certificate = %self.certificate.display(),
                        "the certificate expires soon or lacks a name, and is replaced; clients that pin it need the new one"
                    );
                    self.make(names, now)?;
                }
            }
            (true, false) => return Err(half(&self.certificate, &self.key)),
            (false, true) => return Err(half(&self.key, &self.certificate)),
        }
        self.load(now)
    }

    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let pem = fs::read(&self.certificate).map_err(io_error("read", &self.certificate))?;
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let pem = Zeroizing::new(fs::read(&self.key).map_err(io_error("read", &self.key))?);
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::Pem {
            what: "private key",
            path: self.key.clone(),
        })?;
        Ok((chain.ok_or_else(|| self.no_certificate())?, key))
    }

    fn make(&self, names: &[String], now: UnixTime) -> Result<(), TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "Nacre attestation service");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Clients' clocks may be behind.
        params.not_before = date(now.0.saturating_sub(DAY));
        params.not_after = date(now.0.saturating_add(CERTIFICATE_LIFETIME));
        let certificate = params.self_signed(&key)?;
        let pem = Zeroizing::new(key.serialize_pem());
        // The key first: without its certificate it is noticed at the next start.
        replace(&self.key, pem.as_bytes(), 0o600)?;
        replace(&self.certificate, certificate.pem().as_bytes(), 0o644)
    }

    fn no_certificate(&self) -> TlsError {
        TlsError::Pem {
            what: "certificate",
            path: self.certificate.clone(),
        }
    }
}

/// Whether a certificate that was made earlier still does.
fn serves(leaf: &CertificateDer<'_>, names: &[String], now: UnixTime) -> bool {
    let lasts =
        validity(leaf).is_some_and(|validity| validity.until.0 > now.0.saturating_add(RENEWAL_THRESHOLD));
    let Ok(parsed) = ParsedCertificate::try_from(leaf) else {
        return false;
    };
    let has_name = |name: &String| {
        ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    };
    lasts && names.iter().all(has_name)
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let dates = certificate.tbs_certificate().validity();
    let seconds = |time: &x509_cert::time::Time| UnixTime(time.to_unix_duration().as_secs());
    Some(Validity {
        from: seconds(&dates.not_before),
        until: seconds(&dates.not_after),
    })
}

fn date(seconds: u64) -> time::OffsetDateTime {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// Writes a file whole or not at all.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), TlsError> {
    let new = path.with_extension("new");
    // Left over from a start that broke off.
    let _ = fs::remove_file(&new);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new);
    let written = file.and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(io_error("write", &new))?;
    fs::rename(&new, path).map_err(io_error("replace", path))
}

fn half(found: &Path, missing: &Path) -> TlsError {
    TlsError::Half {
        found: found.to_owned(),
        missing: missing.to_owned(),
    }
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> TlsError {
    move |error| TlsError::Io {
        what,
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: UnixTime = UnixTime(1_750_723_200);

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_made_certificate_is_kept_while_it_serves() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles::own(directory.path());
        let load = |wanted: &[&str], now| {
            files.load_or_make(&names(wanted), now).unwrap();
            fs::read(&files.certificate).unwrap()
        };
        let first = load(&["localhost", "127.0.0.1"], NOW);
        assert_eq!(load(&["127.0.0.1"], UnixTime(NOW.0 + 700 * DAY)), first);
        let mode = fs::metadata(&files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = load(&["127.0.0.1", "attest.example"], NOW);
        assert_ne!(second, first);
        assert_ne!(load(&["attest.example"], UnixTime(NOW.0 + 800 * DAY)), second);
    }

    #[test]
    fn files_that_cannot_serve_are_errors() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (TlsFiles::own(one.path()), TlsFiles::own(two.path()));
        for files in [&one, &two] {
            fs::create_dir_all(files.key.parent().unwrap()).unwrap();
            files.load_or_make(&names(&["localhost"]), NOW).unwrap();
        }
        let mixed = TlsFiles {
            certificate: one.certificate.clone(),
            key: two.key.clone(),
        };
        assert!(matches!(mixed.load(NOW), Err(TlsError::Pair { .. })));
        let late = UnixTime(NOW.0 + 900 * DAY);
        assert!(matches!(one.load(late), Err(TlsError::NotValid { .. })));
        let swapped = TlsFiles {
            certificate: one.key.clone(),
            key: one.certificate.clone(),
        };
        assert!(matches!(swapped.load(NOW), Err(TlsError::Pem { .. })));
        fs::remove_file(&one.key).unwrap();
        let half = one.load_or_make(&names(&["localhost"]), NOW);
        assert!(matches!(half, Err(TlsError::Half { .. })));
        fs::remove_file(&two.certificate).unwrap();
        assert!(matches!(two.load(NOW), Err(TlsError::Io { .. })));
    }
}
