//! The claims of a validated token, under the names of Azure Attestation.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::Object;

/// The claim of this project's service that a quote came from a simulated platform.
pub const SIMULATED: &str = "x-nacre-simulated";

const ATTESTATION_TYPE: &str = "x-ms-attestation-type";

/// The claims of a token whose signature, issuer and dates are in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Claims(Object);

/// What kind of environment was attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttestationType {
    /// `sgx`: an SGX enclave.
    Sgx,
    /// `tdxvm`: a TDX trust domain.
    Tdx,
}

/// What a token says of an SGX enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SgxClaims {
    /// `x-ms-sgx-mrenclave`: measurement of the enclave.
    pub mr_enclave: [u8; 32],
    /// `x-ms-sgx-mrsigner`: hash of the signer's key.
    pub mr_signer: [u8; 32],
    /// `x-ms-sgx-product-id`: ISVPRODID.
    pub product_id: u16,
    /// `x-ms-sgx-svn`: ISVSVN.
    pub svn: u16,
    /// `x-ms-sgx-is-debuggable`: whether the host can look into it.
    pub is_debuggable: bool,
}

/// A claim is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Not in the token.
    #[error("the token has no claim {0:?}; ask the service's operator which claims its policy issues")]
    Missing(&'static str),
    /// There, of another type or form.
    #[error("the claim {name:?} is not {expected}")]
    Form {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl Claims {
    pub(crate) const fn new(members: Object) -> Self {
        Self(members)
    }

    pub(crate) const fn object(&self) -> &Object {
        &self.0
    }

    /// Any claim by its name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Value> {
        self.0.member(name)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Map<String, Value> {
        self.0.to_map()
    }

    /// A claim that is a text.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn text(&self, name: &'static str) -> Result<Cow<'_, str>, ClaimError> {
        self.0.text(name).ok_or_else(|| self.not(name, "a text"))
    }

    /// What kind of environment was attested.
    ///
    /// # Errors
    /// When the claim is missing or of a kind that is not known.
    pub fn attestation_type(&self) -> Result<AttestationType, ClaimError> {
        match self.text(ATTESTATION_TYPE)?.as_ref() {
            "sgx" => Ok(AttestationType::Sgx),
            "tdxvm" => Ok(AttestationType::Tdx),
            _ => Err(ClaimError::Form {
                name: ATTESTATION_TYPE,
                expected: "sgx or tdxvm",
            }),
        }
    }

    /// What is said of an SGX enclave.
    ///
    /// # Errors
    /// When the token is of another kind of environment, or one of these claims is missing or malformed.
    pub fn sgx(&self) -> Result<SgxClaims, ClaimError> {
        if self.attestation_type()? != AttestationType::Sgx {
            return Err(ClaimError::Form {
                name: ATTESTATION_TYPE,
                expected: "sgx",
            });
        }
        Ok(SgxClaims {
            mr_enclave: self.bytes("x-ms-sgx-mrenclave", "32 bytes in lower-case hexadecimal")?,
            mr_signer: self.bytes("x-ms-sgx-mrsigner", "32 bytes in lower-case hexadecimal")?,
            product_id: self.number("x-ms-sgx-product-id")?,
            svn: self.number("x-ms-sgx-svn")?,
            is_debuggable: self.flag("x-ms-sgx-is-debuggable")?,
        })
    }

    /// Whether the host can look into what was attested.
    ///
    /// # Errors
    /// When the token does not say so.
    pub fn is_debuggable(&self) -> Result<bool, ClaimError> {
        self.flag(match self.attestation_type()? {
            AttestationType::Sgx => "x-ms-sgx-is-debuggable",
            AttestationType::Tdx => "tdx_td_attributes_debug",
        })
    }

    /// Report data: what the attested code itself says.
    ///
    /// # Errors
    /// When the claim is missing or malformed.
    pub fn report_data(&self) -> Result<[u8; 64], ClaimError> {
        let name = match self.attestation_type()? {
            AttestationType::Sgx => "x-ms-sgx-report-data",
            AttestationType::Tdx => "tdx_report_data",
        };
        self.bytes(name, "64 bytes in lower-case hexadecimal")
    }

    /// `x-ms-runtime`: the data given with the quote that its report data vouches for, if it was JSON.
    #[must_use]
    pub fn runtime(&self) -> Option<Value> {
        self.claim("x-ms-runtime")
    }

    /// `x-ms-policy-hash`: hash of the policy that the service applied, in base64url.
    ///
    /// # Errors
    /// When the claim is missing or not a text.
    pub fn policy_hash(&self) -> Result<Cow<'_, str>, ClaimError> {
        self.text("x-ms-policy-hash")
    }

    /// Whether the platform was a simulated one, which proves nothing. Whatever the claim says but `false` means yes.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.0.contains(SIMULATED) && self.0.flag(SIMULATED) != Some(false)
    }

    fn bytes<const N: usize>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<[u8; N], ClaimError> {
        let text = self.0.text(name);
        let bytes = text.and_then(|text| from_lower_hex(&text));
        bytes.ok_or_else(|| self.not(name, expected))
    }

    fn number(&self, name: &'static str) -> Result<u16, ClaimError> {
        let number = self.0.number(name).and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| self.not(name, "a number up to 65535"))
    }

    fn flag(&self, name: &'static str) -> Result<bool, ClaimError> {
        self.0.flag(name).ok_or_else(|| self.not(name, "true or false"))
    }

    /// Why a claim is not of this form.
    fn not(&self, name: &'static str, expected: &'static str) -> ClaimError {
        if self.0.contains(name) {
            ClaimError::Form { name, expected }
        } else {
            ClaimError::Missing(name)
        }
    }
}

/// Exactly `N` bytes of hexadecimal in lower case, the one form that measurements have.
fn from_lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = base16ct::lower::decode_vec(text).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_have_one_form() {
        assert_eq!(from_lower_hex("00ff1a"), Some([0, 0xff, 0x1a]));
        for bad in ["00FF1A", "00ff1", "00ff1a00", "00ff1g", "0x00ff", "é00f"] {
            assert_eq!(from_lower_hex::<3>(bad), None, "{bad}");
        }
    }
}
