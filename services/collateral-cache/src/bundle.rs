//! Collateral of many platforms in one file, for machines without a network.

use dcap_quote::Collateral;
use serde::{Deserialize, Serialize};

use crate::shelf::Shelf;

/// The version of the format.
const VERSION: u32 = 1;

/// The file: `{"nacre_collateral_bundle":1,"edition":"standard","current":[…],"early":[…]}`, each entry with the members of
/// `sgx_ql_qve_collateral_t`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    #[serde(rename = "nacre_collateral_bundle")]
    version: u32,
    /// The edition of `current`; none when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<Shelf>,
    /// What quotes are verified by.
    pub current: Vec<Collateral>,
    /// What tells of recoveries to come.
    pub early: Vec<Collateral>,
}

/// Why a file is neither a bundle nor the collateral of one platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Too large.
    #[error("it has {0} bytes, and a bundle has at most {max}", max = Bundle::MAX_SIZE)]
    TooLarge(usize),
    /// Of another version.
    #[error("it is a bundle of version {0}, and this is known: {VERSION}; use a newer nacre")]
    Version(u32),
    /// Not of the form.
    #[error("it is neither a bundle of collateral nor JSON with the members of sgx_ql_qve_collateral_t: {0}")]
    Form(String),
}

impl Bundle {
    /// Bytes of the largest file that is read.
    pub const MAX_SIZE: usize = 64 << 20;

    /// A bundle of these.
    #[must_use]
    pub const fn new(edition: Option<Shelf>, current: Vec<Collateral>, early: Vec<Collateral>) -> Self {
        Self {
            version: VERSION,
            edition,
            current,
            early,
        }
    }

    /// Reads a bundle, or the collateral file of one platform as a bundle of one.
    ///
    /// # Errors
    /// When the file is neither.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        /// What tells the one from the other.
        #[derive(Deserialize)]
        struct Kind {
            nacre_collateral_bundle: Option<u32>,
        }
        if json.len() > Self::MAX_SIZE {
            return Err(BundleError::TooLarge(json.len()));
        }
        let form = |error: serde_json::Error| BundleError::Form(error.to_string());
        let kind: Kind = serde_json::from_slice(json).map_err(form)?;
        match kind.nacre_collateral_bundle {
            Some(VERSION) => serde_json::from_slice(json).map_err(form),
            Some(other) => Err(BundleError::Version(other)),
            None => {
                let one =
                    Collateral::from_json(json).map_err(|error| BundleError::Form(error.to_string()))?;
                Ok(Self::new(None, vec![one], Vec::new()))
            }
        }
    }
}
