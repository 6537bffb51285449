//! Certificate revocation lists (RFC 5280, section 5), complete and direct ones only.

use der::Decode as _;
use x509_cert::crl::TbsCertList;
use x509_cert::serial_number::SerialNumber;

use crate::certificate::{Certificate, CertificateError, Signed, check_extensions};
use crate::time::{UnixTime, Validity};

/// What an authority has revoked, verified.
#[derive(Debug)]
pub(crate) struct RevocationList {
    /// Sorted.
    serial_numbers: Vec<Vec<u8>>,
    pub(crate) validity: Validity,
}

impl RevocationList {
    /// Reads a list and verifies that it is `authority`'s. The authority's role is the caller's to check.
    pub(crate) fn accept(der: &[u8], authority: &Certificate) -> Result<Self, CertificateError> {
        let signed = Signed::parse(der)?;
        let content: TbsCertList = TbsCertList::from_der(&signed.content)?;
        signed.check_algorithm(&content.signature)?;
        if content.issuer != *authority.subject() {
            return Err(CertificateError::Issuer);
        }
        signed.check_signature(authority.key())?;
        if content.version != x509_cert::Version::V2 {
            return Err(CertificateError::Profile("the list's version is not 2"));
        }
        // A critical extension would say that the list is a delta, indirect, or of a part of the certificates.
        if let Some(extensions) = &content.crl_extensions {
            check_extensions(extensions, &[])?;
        }
        let next_update = content
            .next_update
            .ok_or(CertificateError::Profile("no next update"))?;
        let validity = Validity {
            from: UnixTime(content.this_update.to_unix_duration().as_secs()),
            until: UnixTime(next_update.to_unix_duration().as_secs()),
        };
        let mut serial_numbers = Vec::new();
        for entry in content.revoked_certificates.iter().flatten() {
            if let Some(extensions) = &entry.crl_entry_extensions {
                check_extensions(extensions, &[])?;
            }
            serial_numbers.push(entry.serial_number.as_bytes().to_vec());
        }
        serial_numbers.sort_unstable();
        Ok(Self {
            serial_numbers,
            validity,
        })
    }

    /// Checks that the authority has not revoked this one of its certificates.
    pub(crate) fn check(&self, serial_number: &SerialNumber) -> Result<(), CertificateError> {
        let search = self
            .serial_numbers
            .binary_search_by(|revoked| revoked.as_slice().cmp(serial_number.as_bytes()));
        if search.is_ok() {
            Err(CertificateError::Revoked)
        } else {
            Ok(())
        }
    }
}
