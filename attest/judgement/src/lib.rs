//! What a person is told about a quote: whether it is acceptable, what it proves, why not, and what would help.
//!
//! [`judge`] goes from bytes to a [`Judgement`], which serializes to JSON for programs; [`summary`] shows it in full, and
//! [`explanation`] says in words what is wrong and what to do. All of it is text made from what
//! [`dcap_quote`] found; nothing here decides anything.
#![forbid(unsafe_code)]

mod advice;
mod explanation;
mod summary;

use dcap_quote::{
    CheckedCollateral, Collateral, CollateralError, Objection, Policy, Quote, QuoteError, Refusal,
    TrustedRoot, UnixTime, Verdict, verify,
};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

pub use crate::explanation::explanation;
pub use crate::summary::summary;

/// What is judged, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The quote; zeroes may follow it.
    pub quote: &'a [u8],
    /// The collateral file.
    pub collateral: &'a [u8],
    /// Whom to trust in the end.
    pub root: &'a TrustedRoot,
    /// What is good enough.
    pub policy: &'a Policy,
    /// For what time.
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
pub enum Reason {
    /// It is no quote.
    #[error("this is no quote that can be verified: {0}")]
    Quote(#[from] QuoteError),
    /// The collateral file is none.
    #[error("the collateral file cannot be read: {0}")]
    CollateralFile(#[from] CollateralError),
    /// A link between quote and root is broken.
    #[error("{0}")]
    Refusal(#[from] Refusal),
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
    let collateral = Collateral::from_json(question.collateral)?;
    let checked = CheckedCollateral::check(&collateral, question.root)?;
    Ok(verify(&quote, &checked, question.at)?)
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

/// Reasons may repeat words of a file that nobody has verified; none of them may control a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}
