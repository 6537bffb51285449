//! Decisions: the result of an evaluation.

use crate::claim::Claim;
use crate::position::Position;

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There may be a token.
    Permitted(Permission),
    /// There may not.
    Denied(Denial),
}

/// A decision for a token, and what goes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Of the first rule that permits.
    pub by: Position,
    /// Claims for the token, in the order in which they were issued; several may have the same type.
    pub issued: Vec<Claim>,
    /// What the issuance rules say about the token itself, for instance `report_validity_in_minutes`. A service has to know
    /// what it does with an unknown one.
    pub properties: Vec<Claim>,
    /// What the configuration rules say, as [`Policy::configuration`] does.
    pub configuration: Vec<Claim>,
}

/// Why there may be no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// A rule denies, which overrules all that permit.
    #[error("the rule at {0} denies")]
    Rule(Position),
    /// Nobody permits.
    #[error("no rule permits")]
    NoRulePermits,
}
