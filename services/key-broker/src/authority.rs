//! Certificate authorities: the broker's own, each deployment's, and those of policies.
//!
//! An authority has one key and two certificates. One is signed by itself: whoever trusts the authority and nothing else is
//! given this one, which every TLS library takes as an anchor. The other is signed by the authority above it.

use std::net::IpAddr;

use aws_lc_rs::rand;
use dcap_quote::UnixTime;
use deployment_policy::PolicyDigest;
use deployment_policy::document::{KeyAlgorithm, Use};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, RsaKeySize, SanType,
    SerialNumber,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::encoding::{Base64Bytes, Base64Secret};

/// The extension with a policy's digest (OCTET STRING, 32 bytes): `2.25.1466830317.1`. The number below `2.25` was drawn at
/// random; nobody has assigned it.
pub const POLICY_DIGEST_OID: [u64; 4] = [2, 25, 1_466_830_317, 1];
/// Names in this domain are brokers' ([`provisioning::SERVER_NAME`]), and no service's.
pub(crate) const RESERVED_DOMAIN: &str = "nacre.internal";
/// Certificates are valid from so many seconds before they are made, for peers whose clocks are behind.
const CLOCK_SKEW: u64 = 300;

/// A key could not be made, or a certificate not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The library says so.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// After the year 9999.
    #[error("a certificate's time of validity is out of range")]
    Validity,
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random,
}

/// An authority as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Authority {
    pub common_name: String,
    /// PKCS #8.
    pub key: Base64Secret,
    /// Signed by itself, DER.
    pub own: Base64Bytes,
    /// Signed by the authority above it, DER.
    pub issued: Option<Base64Bytes>,
    /// The end of both certificates.
    pub until: u64,
}

/// What a certificate is to say.
pub(crate) struct Leaf<'a> {
    pub common_name: &'a str,
    pub dns: &'a [String],
    pub ip: &'a [IpAddr],
    pub uri: Option<String>,
    pub uses: &'a [Use],
    pub policy: Option<PolicyDigest>,
    pub now: UnixTime,
    pub lifetime: u64,
}

/// A key and its certificate.
pub(crate) struct Issued {
    /// PKCS #8.
    pub key: Zeroizing<Vec<u8>>,
    /// DER.
    pub certificate: Vec<u8>,
    /// When the certificate ends.
    pub until: UnixTime,
}

impl Authority {
    /// Makes an authority, below another one if there is one above.
    pub fn make(
        algorithm: KeyAlgorithm,
        common_name: &str,
        above: Option<&Self>,
        policy: Option<PolicyDigest>,
        now: UnixTime,
        lifetime: u64,
    ) -> Result<Self, AuthorityError> {
        let key = generate_key(algorithm)?;
        let until = now.0.saturating_add(lifetime);
        // Nothing that is below an authority is valid for longer.
        let until = above.map_or(until, |above| until.min(above.until));
        let mut parameters = parameters(common_name, now, UnixTime(until), policy)?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = parameters.self_signed(&key)?;
        let issued = match above {
            Some(above) => {
                parameters.serial_number = Some(serial_number()?);
                // Who trusts the authority above believes brokers by their name, so nobody below can give it away.
                parameters.name_constraints = Some(NameConstraints {
                    permitted_subtrees: Vec::new(),
                    excluded_subtrees: vec![GeneralSubtree::DnsName(RESERVED_DOMAIN.to_owned())],
                });
                Some(parameters.signed_by(&key, &above.issuer()?)?)
            }
            None => None,
        };
        Ok(Self {
            common_name: common_name.to_owned(),
            key: Base64Secret(Zeroizing::new(key.serialize_der())),
            own: Base64Bytes(own.der().to_vec()),
            issued: issued.map(|issued| Base64Bytes(issued.der().to_vec())),
            until,
        })
    }

    /// Makes a key and certifies it.
    pub fn issue(&self, algorithm: KeyAlgorithm, leaf: &Leaf<'_>) -> Result<Issued, AuthorityError> {
        self.certify(&generate_key(algorithm)?, leaf)
    }

    /// Certifies a key.
    pub fn certify(&self, key: &KeyPair, leaf: &Leaf<'_>) -> Result<Issued, AuthorityError> {
        let until = UnixTime(leaf.now.0.saturating_add(leaf.lifetime).min(self.until));
        let mut parameters = parameters(leaf.common_name, leaf.now, until, leaf.policy)?;
        let dns = leaf
            .dns
            .iter()
            .map(|name| Ok(SanType::DnsName(Ia5String::try_from(name.as_str())?)));
        parameters.subject_alt_names = dns.collect::<Result<_, rcgen::Error>>()?;
        parameters
            .subject_alt_names
            .extend(leaf.ip.iter().map(|address| SanType::IpAddress(*address)));
        if let Some(uri) = &leaf.uri {
            parameters
                .subject_alt_names
                .push(SanType::URI(Ia5String::try_from(uri.as_str())?));
        }
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = leaf
            .uses
            .iter()
            .map(|usage| match usage {
                Use::Server => ExtendedKeyUsagePurpose::ServerAuth,
                Use::Client => ExtendedKeyUsagePurpose::ClientAuth,
            })
            .collect();
        let certificate = parameters.signed_by(key, &self.issuer()?)?;
        Ok(Issued {
            key: Zeroizing::new(key.serialize_der()),
            certificate: certificate.der().to_vec(),
            until,
        })
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, AuthorityError> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = name(&self.common_name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Issuer::new(parameters, read_key(&self.key.0)?))
    }
}

/// Reads PKCS #8.
pub(crate) fn read_key(pkcs8: &[u8]) -> Result<KeyPair, AuthorityError> {
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8);
    Ok(KeyPair::try_from(&der)?)
}

/// A new private key.
pub(crate) fn generate_key(algorithm: KeyAlgorithm) -> Result<KeyPair, AuthorityError> {
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
    Ok(match algorithm {
        KeyAlgorithm::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyAlgorithm::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyAlgorithm::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        KeyAlgorithm::Rsa2048 => rsa(RsaKeySize::_2048),
        KeyAlgorithm::Rsa3072 => rsa(RsaKeySize::_3072),
        KeyAlgorithm::Rsa4096 => rsa(RsaKeySize::_4096),
    }?)
}

fn parameters(
    common_name: &str,
    now: UnixTime,
    until: UnixTime,
    policy: Option<PolicyDigest>,
) -> Result<CertificateParams, AuthorityError> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name(common_name);
    parameters.serial_number = Some(serial_number()?);
    parameters.not_before = time(now.0.saturating_sub(CLOCK_SKEW))?;
    parameters.not_after = time(until.0)?;
    if let Some(digest) = policy {
        // OCTET STRING of 32 bytes.
        let content = [&[4, 32], digest.as_bytes().as_slice()].concat();
        let extension = CustomExtension::from_oid_content(&POLICY_DIGEST_OID, content);
        parameters.custom_extensions.push(extension);
    }
    Ok(parameters)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn serial_number() -> Result<SerialNumber, AuthorityError> {
    let mut serial = [0; 16];
    rand::fill(&mut serial).map_err(|_| AuthorityError::Random)?;
    // Positive, and never with a zero in front.
    let [first, ..] = &mut serial;
    *first = (*first & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&serial))
}

fn time(seconds: u64) -> Result<time::OffsetDateTime, AuthorityError> {
    let seconds = i64::try_from(seconds).map_err(|_| AuthorityError::Validity)?;
    time::OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Validity)
}

/// In PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    use base64::Engine as _;
    let body = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    // As large as it will be: a line of 64 has a line feed.
    let lines = body.len().div_ceil(64);
    let capacity = body
        .len()
        .saturating_add(lines)
        .saturating_add(label.len().saturating_mul(2));
    let mut text = Zeroizing::new(String::with_capacity(capacity.saturating_add(64)));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_764_530_000);

    #[test]
    fn a_leaf_chains_to_either_certificate_of_its_authority() {
        let root = Authority::make(KeyAlgorithm::P256, "root", None, None, NOW, 1000).unwrap();
        let middle = Authority::make(KeyAlgorithm::P384, "middle", Some(&root), None, NOW, 9999).unwrap();
        assert_eq!(middle.until, root.until);
        let leaf = leaf("db.example");
        let issued = middle.issue(KeyAlgorithm::Ed25519, &leaf).unwrap();
        assert_eq!(issued.until.0, NOW.0 + 500);
        let between = middle.issued.as_ref();
        assert_eq!(verify(&issued, &root.own, between), Ok(()));
        assert_eq!(verify(&issued, &middle.own, None), Ok(()));
        assert_eq!(verify(&issued, &middle.own, between), Ok(()));
        let digest = [&[4, 32], [0xab; 32].as_slice()].concat();
        assert!(issued.certificate.windows(34).any(|window| window == digest));
    }

    #[test]
    fn an_authority_below_cannot_name_a_broker() {
        let root = Authority::make(KeyAlgorithm::P256, "root", None, None, NOW, 1000).unwrap();
        let middle = Authority::make(KeyAlgorithm::P256, "middle", Some(&root), None, NOW, 1000).unwrap();
        let leaf = leaf(provisioning::SERVER_NAME);
        let by_root = root.issue(KeyAlgorithm::P256, &leaf).unwrap();
        assert_eq!(verify(&by_root, &root.own, None), Ok(()));
        let by_middle = middle.issue(KeyAlgorithm::P256, &leaf).unwrap();
        assert!(verify(&by_middle, &root.own, middle.issued.as_ref()).is_err());
    }

    fn leaf(name: &str) -> Leaf<'_> {
        Leaf {
            common_name: "leaf",
            dns: Box::leak(Box::new([name.to_owned()])),
            ip: &[],
            uri: Some("spiffe://shop/db".to_owned()),
            uses: &[Use::Server],
            policy: Some("ab".repeat(32).parse().unwrap()),
            now: NOW,
            lifetime: 500,
        }
    }

    fn verify(
        issued: &Issued,
        anchor: &Base64Bytes,
        between: Option<&Base64Bytes>,
    ) -> Result<(), rustls::Error> {
        use rustls::pki_types::CertificateDer;
        let der = |bytes: &Base64Bytes| CertificateDer::from(bytes.0.clone());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(anchor)).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certificate = CertificateDer::from(issued.certificate.clone());
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &rustls::server::ParsedCertificate::try_from(&certificate).unwrap(),
            &roots,
            &between.map(der).into_iter().collect::<Vec<_>>(),
            rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.0)),
            provider.signature_verification_algorithms.all,
        )
    }

    #[test]
    fn all_kinds_of_keys_are_made_and_read() {
        for algorithm in [
            KeyAlgorithm::P256,
            KeyAlgorithm::P384,
            KeyAlgorithm::Ed25519,
            KeyAlgorithm::Rsa2048,
        ] {
            let key = generate_key(algorithm).unwrap();
            read_key(&key.serialize_der()).unwrap();
        }
    }
}
