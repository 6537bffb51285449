//! The policy language of Microsoft Azure Attestation, versions 1.0, 1.1 and 1.2.
//!
//! A service knows claims about who is attested; its owner's policy decides from them whether there will be a token, and
//! which claims of its own the token carries. Sans-IO: text and claims in, a [`Decision`] out, the same each time.
//!
//! ```
//! use attestation_policy::{Claim, Decision, Policy};
//!
//! let policy = Policy::parse(
//!     r#"version=1.0;
//!     authorizationrules { [type=="x-ms-sgx-is-debuggable", value==false] => permit(); };
//!     issuancerules { c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value); };"#,
//! )?;
//! let claims = [Claim::verified("x-ms-sgx-is-debuggable", false), Claim::verified("x-ms-sgx-svn", 3)];
//! let Decision::Permitted(permission) = policy.evaluate(&claims)? else { panic!() };
//! assert_eq!(permission.issued, [Claim::new("svn", 3, attestation_policy::Issuer::AttestationPolicy)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Policy::parse`] goes through `lexer`, `parser` and `syntax`; [`Policy::evaluate`] through `evaluation`,
//! `comparison` and `values` and, for the functions of 1.2, `function` and `query` (JMESPath). Policies and claims come
//! from the adversary: whatever they are, the result is a decision or an error with line and column, within the
//! bounds of [`limits`]. An error is never a permission.
//!
//! For authors of policies, [`Policy::warnings`] names what is valid and hardly meant, and [`Policy::unmet`] why no rule permits.
//!
//! A service honours the [`Properties`] of a permission, or does not issue.
//!
//! What Microsoft documents is in `docs/policy.md`, with what we chose where the documents are silent.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod budget;
mod claim;
mod comparison;
mod decision;
pub mod defaults;
mod error;
mod evaluation;
mod explanation;
mod expression_parser;
mod failure;
mod function;
mod hash;
mod json;
mod known_claims;
mod lexer;
pub mod limits;
mod parser;
mod position;
mod properties;
mod query;
mod rule_parser;
mod syntax;
mod values;
mod warnings;

pub use claim::{Claim, Issuer, Value, ValueType};
pub use decision::{Decision, Denial, Permission};
pub use error::{PolicyError, PolicyProblem};
pub use explanation::Unmet;
pub use failure::{EvaluationError, EvaluationProblem};
pub use hash::policy_hash;
pub use position::Position;
pub use properties::{MAX_VALIDITY_MINUTES, Properties, PropertyError};
pub use syntax::{Policy, Version};
pub use warnings::Warning;
