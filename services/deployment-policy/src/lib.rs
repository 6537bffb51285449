//! The policy of a deployment: which enclaves are its services, what each of them gets, and who may change that.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use deployment_policy::Policy;
//!
//! let policy = Policy::parse(
//!     "name: shop
//! services:
//!   web:
//!     enclaves: [83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e]
//!     environment: { PASSWORD: '{{ secret \"db\" }}' }
//! secrets:
//!   db: { kind: password }
//! ",
//! )?;
//! println!("{}", policy.digest()); // the same for the same policy in JSON
//! # Ok(()) }
//! ```
//!
//! The way of a policy, each step a module: text → [`document`] (`read`: its types, and nothing unknown) → [`Policy`]
//! (`check`: whatever it names exists, templates fit, no cycles). A policy then answers:
//!
//! - which service an enclave is, and whether it may have what that gets: [`Policy::identify`], [`Policy::authorize`], with a
//!   [`Denial`] for the policy's owner;
//! - what it gets: [`Grant::needs`], and [`Grant::resolve`] when the values are there;
//! - what a person may do: [`Policy::may`], [`Policy::approval`];
//! - what is hardly meant ([`lint`]), what changes for whom ([`diff`]), and what it says in English ([`explain`]).
//!
//! There is no clock, no randomness and no I/O here: times, values and the state of the world are arguments. Policies come
//! from people who may be mistaken or hostile, so sizes and counts are bounded (`limits`). Evidence must have been verified
//! before ([`dcap_quote`]): this crate believes it.
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

mod authorize;
mod canonical;
mod check;
mod denial;
mod diff;
pub mod document;
mod edit;
mod evidence;
mod explain;
mod grant;
mod identify;
mod limits;
mod lint;
mod person;
mod policy;
mod read;
mod registry;
mod resolve;
mod similar;
mod template;

pub use crate::canonical::PolicyDigest;
pub use crate::check::Problem;
pub use crate::denial::{Denial, DenialCode, Reason};
pub use crate::diff::{Change, Effect, diff};
pub use crate::edit::{Edit, EditError, edit};
pub use crate::evidence::{Evidence, Registered};
pub use crate::explain::explain;
pub use crate::grant::{Grant, Needs};
pub use crate::limits::MAX_POLICY_SIZE;
pub use crate::lint::{Finding, Profile, Severity, lint};
pub use crate::person::{Action, Approval, Principal};
pub use crate::policy::{Policy, PolicyError};
pub use crate::read::{Position, ReadError};
pub use crate::registry::RegistryQuestion;
pub use crate::resolve::{Material, ResolveError, ResolveProblem, Secrets};
pub use crate::template::{Filter, Reference, ReferenceKind, Template, TemplateError};
