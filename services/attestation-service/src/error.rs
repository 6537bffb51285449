//! Errors of the HTTP interface: a status, a code for programs and a sentence for people.

use serde::Serialize;

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct ApiError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what failed, on what, and what to do.
    pub message: String,
}

/// Kinds of failures. The first six are the names that Azure Attestation uses; the others are for what it has no name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is not what it should be, or not allowed to say that.
    InvalidParameter,
    /// The evidence proves nothing, or is not about what the request says.
    InvalidQuote,
    /// The policy denies, or could not be evaluated.
    PolicyEvaluationError,
    /// The text is no policy.
    PolicyParsingError,
    /// What is asked for is not possible in the service's configuration or state.
    InvalidOperation,
    /// The caller may not do that.
    Unauthorized,
    /// The service lacks valid collateral for the platform: its operator has to act, not the caller.
    CollateralUnavailable,
    /// No such resource.
    NotFound,
    /// The resource has no such method.
    MethodNotAllowed,
    /// The body is of another media type.
    UnsupportedMediaType,
    /// The body is too large.
    RequestTooLarge,
    /// The body did not arrive in time.
    RequestTimeout,
    /// Too many requests are being worked on.
    ServiceBusy,
    /// The service's own failure; what it is stands in its log.
    InternalError,
}

impl ErrorCode {
    /// As in `error.code` and in the header `x-ms-error-code`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidParameter => "InvalidParameter",
            Self::InvalidQuote => "InvalidQuote",
            Self::PolicyEvaluationError => "PolicyEvaluationError",
            Self::PolicyParsingError => "PolicyParsingError",
            Self::InvalidOperation => "InvalidOperation",
            Self::Unauthorized => "Unauthorized",
            Self::CollateralUnavailable => "CollateralUnavailable",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::RequestTooLarge => "RequestTooLarge",
            Self::RequestTimeout => "RequestTimeout",
            Self::ServiceBusy => "ServiceBusy",
            Self::InternalError => "InternalError",
        }
    }

    /// HTTP status.
    ///
    /// Missing collateral is a 400 as in Azure Attestation, although it is not the caller's fault: Azure's clients repeat a
    /// request for minutes after a 5xx, and no repetition helps.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidParameter
            | Self::InvalidQuote
            | Self::PolicyEvaluationError
            | Self::PolicyParsingError
            | Self::InvalidOperation
            | Self::CollateralUnavailable => 400,
            Self::Unauthorized => 401,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::RequestTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InternalError => 500,
            Self::ServiceBusy => 503,
        }
    }

    /// The failure, said to people.
    pub fn because(self, message: impl Into<String>) -> ApiError {
        ApiError {
            code: self,
            message: message.into(),
        }
    }
}

/// `{"error":{"code":…,"message":…}}`.
impl Serialize for ApiError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            code: &'static str,
            message: &'a str,
        }
        let error = Error {
            code: self.code.name(),
            message: &self.message,
        };
        Body { error }.serialize(serializer)
    }
}
