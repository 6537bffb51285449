//! Versions of the protocol, by the query parameter `api-version`.

use crate::api::attest::AttestationType;
use crate::error::{ApiError, ErrorCode};

/// A version that clients in use ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiVersion {
    /// `2018-09-01-preview`: its members are called `Quote` and `EnclaveHeldData`; SQL clients still use it.
    V2018Preview,
    /// `2020-10-01`: what the client libraries speak.
    V2020,
    /// `2022-08-01`.
    V2022,
    /// `2022-09-01-preview`.
    V2022Preview,
    /// `2023-04-01-preview`: the first with trust domains.
    V2023Preview,
    /// `2025-06-01`.
    V2025,
}

impl ApiVersion {
    const ALL: [(Self, &'static str); 6] = [
        (Self::V2018Preview, "2018-09-01-preview"),
        (Self::V2020, "2020-10-01"),
        (Self::V2022, "2022-08-01"),
        (Self::V2022Preview, "2022-09-01-preview"),
        (Self::V2023Preview, "2023-04-01-preview"),
        (Self::V2025, "2025-06-01"),
    ];

    /// Reads the query parameter.
    ///
    /// # Errors
    /// When it is missing or not one that is spoken.
    pub fn parse(parameter: Option<&str>) -> Result<Self, ApiError> {
        let names = || Self::ALL.map(|(_, name)| name).join(", ");
        let Some(parameter) = parameter else {
            return Err(ErrorCode::InvalidParameter.because(format!(
                "the query parameter api-version is missing; it is one of {}",
                names()
            )));
        };
        let known = Self::ALL.into_iter().find(|(_, name)| *name == parameter);
        known.map(|(version, _)| version).ok_or_else(|| {
            ErrorCode::InvalidParameter.because(format!(
                "this api-version is not supported; those are {}",
                names()
            ))
        })
    }

    /// Whether the version knows TCB baselines.
    ///
    /// # Errors
    /// When they came only later.
    pub fn check_knows_baselines(self) -> Result<(), ApiError> {
        if self < Self::V2025 {
            return Err(ErrorCode::NotFound
                .because("this api-version does not know /tcbbaselines; api-version=2025-06-01 does"));
        }
        Ok(())
    }

    /// Whether the version knows attestation of this type.
    ///
    /// # Errors
    /// When trust domains came only later.
    pub fn check_knows(self, kind: AttestationType) -> Result<(), ApiError> {
        if kind == AttestationType::TdxVm && self < Self::V2023Preview {
            return Err(ErrorCode::NotFound.because(
                "this api-version does not know TdxVm; api-version=2025-06-01 and 2023-04-01-preview do",
            ));
        }
        Ok(())
    }
}
