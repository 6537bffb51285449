//! The judgement of a quote, for people: whether it is acceptable, what it proves, and what to do.
//!
//! [`judge`] goes from a quote and checked collateral to a [`Judgement`], which serializes to JSON for
//! programs. [`summary`] shows it in full, and [`explanation`] says what is wrong and what to do.
//! [`dcap_quote`] decides everything; this crate only puts it into words.
#![forbid(unsafe_code)]

mod advice;
mod explanation;
mod summary;

use dcap_quote::{
    CheckedCollateral, Collateral, CollateralError, Objection, Policy, Quote, QuoteError, Refusal,
    TrustedRoot, UnixTime, Verdict, verify,
};
use printable_text::printable;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

pub use crate::explanation::explanation;
pub use crate::summary::summary;

/// A quote, and what it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The quote; zeroes may follow it.
    pub quote: &'a [u8],
    /// Collateral for the quote's platform, checked up to the trusted root.
    pub collateral: &'a CheckedCollateral,
    /// What makes an authentic quote acceptable.
    pub policy: &'a Policy,
    /// The time for which the quote is judged.
    pub at: UnixTime,
}

/// The answer.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// The quote is authentic. It is acceptable when there are no objections.
    Authentic {
        /// What it proves.
        verdict: Box<Verdict>,
        /// What speaks against accepting it.
        objections: Vec<Objection>,
    },
    /// It proves nothing.
    Refused(Reason),
}

/// Why a quote proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is no quote.
    #[error("this is no quote that can be verified: {0}")]
    Quote(#[from] QuoteError),
    /// The collateral file, with the members of `sgx_ql_qve_collateral_t`, is not collateral.
    #[error("the collateral file cannot be read: {0}")]
    CollateralFile(#[from] CollateralError),
    /// A link between quote and root is broken.
    #[error("{0}")]
    Refusal(#[from] Refusal),
}

/// Reads a collateral file and checks it up to the root, once for many questions.
///
/// # Errors
/// When it is not collateral, or does not lead to the root.
pub fn check_collateral(json: &[u8], root: &TrustedRoot) -> Result<CheckedCollateral, Reason> {
    let collateral = Collateral::from_json(json)?;
    Ok(CheckedCollateral::check(&collateral, root)?)
}

/// Verifies a quote and asks the policy.
#[must_use]
pub fn judge(question: &Question<'_>) -> Judgement {
    match try_verify(question) {
        Ok(verdict) => Judgement::Authentic {
            objections: question.policy.objections(&verdict),
            verdict: Box::new(verdict),
        },
        Err(reason) => Judgement::Refused(reason),
    }
}

fn try_verify(question: &Question<'_>) -> Result<Verdict, Reason> {
    let quote = Quote::parse_zero_padded(question.quote)?;
    Ok(verify(&quote, question.collateral, question.at)?)
}

impl Judgement {
    /// Whether the quote is authentic and good enough.
    #[must_use]
    pub fn is_acceptable(&self) -> bool {
        matches!(self, Self::Authentic { objections, .. } if objections.is_empty())
    }

    /// Everything that speaks against accepting it, a sentence each.
    fn objections(&self) -> Vec<String> {
        match self {
            Self::Authentic { objections, .. } => objections.iter().map(ToString::to_string).collect(),
            Self::Refused(reason) => vec![printable(&reason.to_string())],
        }
    }
}

/// `{"acceptable": …, "objections": […], "verdict": … or null}`.
impl Serialize for Judgement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdict = match self {
            Self::Authentic { verdict, .. } => Some(verdict),
            Self::Refused(_) => None,
        };
        let mut members = serializer.serialize_struct("Judgement", 3)?;
        members.serialize_field("acceptable", &self.is_acceptable())?;
        members.serialize_field("objections", &self.objections())?;
        members.serialize_field("verdict", &verdict)?;
        members.end()
    }
}
