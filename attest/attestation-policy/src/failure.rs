//! Errors of an evaluation.

use crate::claim::ValueType;
use crate::limits::{MAX_CLAIMS, MAX_CREATED, MAX_STEPS, MAX_VALUE};
use crate::position::Position;

/// A policy that cannot be evaluated with these claims: never a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct EvaluationError {
    /// Of the part of the policy that failed.
    pub position: Position,
    /// The error.
    pub problem: EvaluationProblem,
}

/// Why an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationProblem {
    /// Which is larger was asked of something that is no integer.
    #[error("{symbol} compares integers, and the claim {claim_type:?} is {}", .found.noun())]
    OrderOfClaim {
        /// The operator.
        symbol: &'static str,
        /// The type of the claim.
        claim_type: String,
        /// Its type.
        found: ValueType,
    },
    /// A value of another type is needed.
    #[error("{what} is {}, not {}", .expected.noun(), .found.noun())]
    Type {
        /// For what.
        what: String,
        /// The type that is needed.
        expected: ValueType,
        /// The type of the value.
        found: ValueType,
    },
    /// One value is needed.
    #[error("{what} is a single value, and here are {found} different ones")]
    NotSingle {
        /// For what.
        what: String,
        /// Different values.
        found: usize,
    },
    /// The text is not JSON.
    #[error("{what} is not JSON: {reason}")]
    Json {
        /// The text.
        what: &'static str,
        /// The error.
        reason: String,
    },
    /// JSON that no claim can have as its value.
    #[error("{0} cannot be the value of a claim")]
    JsonValue(&'static str),
    /// The query is not one.
    #[error("not a JMESPath query: {0}")]
    Query(String),
    /// The query fails on these data.
    #[error("the JMESPath query fails: {0}")]
    QueryFailed(String),
    /// A claim that is not to leave the service, or something that was made of it.
    #[error("the claim {0:?} is read-only, or made of one that is: rules can examine it, but not issue it")]
    ReadOnly(String),
    /// See [`MAX_CLAIMS`].
    #[error("there are more than {MAX_CLAIMS} claims")]
    TooManyClaims,
    /// See [`MAX_VALUE`].
    #[error("a value has more than {MAX_VALUE} bytes")]
    ValueTooLong,
    /// See [`MAX_CREATED`].
    #[error("the claims that rules make have more than {MAX_CREATED} bytes")]
    TooManyBytes,
    /// See [`MAX_STEPS`].
    #[error("the evaluation takes more than {MAX_STEPS} steps")]
    TooMuchWork,
}
