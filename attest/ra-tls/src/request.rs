//! Creation of a certificate, inside the enclave that it speaks for.

use dcap_quote::Validity;
use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::claims::Claims;
use crate::evidence::{LEGACY, TAGGED_EVIDENCE, encode_tagged, report_data_of};

/// A key pair that waits for its certificate.
pub struct Request {
    key: KeyPair,
    validity: Validity,
    names: Vec<String>,
    formats: Formats,
    nonce: Option<Vec<u8>>,
}

/// In which formats the certificate carries quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Formats {
    /// The interoperable one: one quote.
    #[default]
    Interoperable,
    /// The legacy one, for verifiers that know no other: one quote.
    Legacy,
    /// Both, as Gramine's own certificates: two quotes.
    Both,
}

/// A certificate with its key, as rustls takes them.
pub struct Attested {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its private key, which must not leave the enclave.
    pub key: PrivateKeyDer<'static>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError<E> {
    /// The caller's function gave no quote.
    #[error("there is no quote for the certificate's key: {0}")]
    Quote(E),
    /// A name that certificates cannot have, a time out of range, or the cryptographic library failed.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// After the year 9999.
    #[error("the certificate's time of validity is out of range")]
    Validity,
}

impl Request {
    /// Makes a key pair on P-256 with the system's randomness, for a certificate that is valid in this window. Collateral
    /// expires after weeks at most, and so need not outlive it for long.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn new(validity: Validity) -> Result<Self, rcgen::Error> {
        Ok(Self {
            key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            validity,
            names: Vec::new(),
            formats: Formats::default(),
            nonce: None,
        })
    }

    /// Host names and IP addresses to put into the certificate: peers that verify the quote need none, others may.
    #[must_use]
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// In which formats; interoperable if not said.
    #[must_use]
    pub const fn formats(mut self, formats: Formats) -> Self {
        self.formats = formats;
        self
    }

    /// A nonce to repeat in the interoperable format's claims, from a peer that wants a fresh quote.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<Vec<u8>>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Asks `quote` for a quote with the report data it is given, once for each format, and makes the certificate.
    ///
    /// # Errors
    /// When there is no quote, or no certificate can be made of names and times.
    pub fn certificate<E>(
        self,
        mut quote: impl FnMut(&[u8; 64]) -> Result<Vec<u8>, E>,
    ) -> Result<Attested, MakeError<E>> {
        let info = self.key.subject_public_key_info();
        let mut parameters = CertificateParams::new(self.names)?;
        parameters
            .distinguished_name
            .push(DnType::CommonName, "Nacre RA-TLS");
        parameters.not_before = time(self.validity.from.0).ok_or(MakeError::Validity)?;
        parameters.not_after = time(self.validity.until.0).ok_or(MakeError::Validity)?;
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        if self.formats != Formats::Legacy {
            let claims = Claims::of_key(&info, self.nonce).encode();
            let quote = quote(&report_data_of(&claims)).map_err(MakeError::Quote)?;
            let evidence = encode_tagged(&quote, &claims);
            parameters
                .custom_extensions
                .push(extension(TAGGED_EVIDENCE, evidence));
        }
        if self.formats != Formats::Interoperable {
            let quote = quote(&report_data_of(&info)).map_err(MakeError::Quote)?;
            parameters.custom_extensions.push(extension(LEGACY, quote));
        }
        let certificate = parameters.self_signed(&self.key)?;
        Ok(Attested {
            certificate: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(self.key.serialize_der()).into(),
        })
    }
}

/// Not critical: TLS libraries refuse what they do not know.
fn extension(identifier: der::asn1::ObjectIdentifier, content: Vec<u8>) -> CustomExtension {
    let arcs: Vec<u64> = identifier.arcs().map(u64::from).collect();
    CustomExtension::from_oid_content(&arcs, content)
}

fn time(seconds: u64) -> Option<time::OffsetDateTime> {
    time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()
}

impl std::fmt::Debug for Attested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attested")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
