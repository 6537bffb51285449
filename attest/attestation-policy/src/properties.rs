//! Properties: what a policy says about the evaluation and the token themselves, by `issueproperty`.
//!
//! Source: Microsoft's "Claim sets" (property claims) and "Attestation policy version 1.1". A property that is not understood
//! here might ask for a check that nobody makes, so that it never passes.

use crate::claim::{Claim, Value};
use crate::decision::Permission;
use crate::error::{PolicyError, PolicyProblem};
use crate::syntax::{Action, Expression, ExpressionKind, Policy, Section, Source, Verb};

/// The longest life of a token that a policy gets, in minutes: the eight hours of Azure's tokens, after which keys are no
/// longer published. A policy that asks for more gets this, as Azure cuts what is above its own limit of a year.
pub const MAX_VALIDITY_MINUTES: u32 = 8 * 60;

/// The properties of one evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// The least number of the TCB recovery that collateral must take into account (`x-ms-sgx-tcbidentifier`).
    pub baseline: Option<u32>,
    /// How long the token is to be valid, in minutes; within [`MAX_VALIDITY_MINUTES`] (`report_validity_in_minutes`).
    pub validity_minutes: Option<u32>,
}

/// Why a property cannot be honoured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// No such property in this section.
    #[error("{section} have no property {name:?}; there are {known}")]
    Unknown {
        /// Of the rules.
        section: &'static str,
        /// As the policy calls it.
        name: String,
        /// What there is.
        known: &'static str,
    },
    /// A value that the property cannot have.
    #[error("{name} cannot be {value}; it is {expected}")]
    Value {
        /// The property.
        name: &'static str,
        /// As the policy has it.
        value: Value,
        /// What it can be.
        expected: &'static str,
    },
}

impl Properties {
    /// What a decision's properties ask for; of several values, the strictest.
    ///
    /// # Errors
    /// With the first that is not known, or has a value that it cannot have.
    pub fn of(permission: &Permission) -> Result<Self, PropertyError> {
        let mut properties = Self::of_configuration(&permission.configuration)?;
        properties.add(Section::Issuance, &permission.properties)?;
        Ok(properties)
    }

    /// What configuration rules alone ask for; see [`Policy::configuration`].
    ///
    /// # Errors
    /// As [`Properties::of`].
    pub fn of_configuration(configuration: &[Claim]) -> Result<Self, PropertyError> {
        let mut properties = Self::default();
        properties.add(Section::Configuration, configuration)?;
        Ok(properties)
    }

    fn add(&mut self, section: Section, claims: &[Claim]) -> Result<(), PropertyError> {
        for Claim {
            claim_type, value, ..
        } in claims
        {
            match read(section, claim_type)?.value(value)? {
                Asked::Nothing => {}
                Asked::Baseline(number) => self.baseline = self.baseline.max(Some(number)),
                Asked::Validity(minutes) => {
                    let shortest = self.validity_minutes.unwrap_or(minutes).min(minutes);
                    self.validity_minutes = Some(shortest);
                }
            }
        }
        Ok(())
    }
}

impl Policy {
    /// Checks the properties that stand in the text, as far as they do not depend on claims: a policy with a wrong one
    /// never issues a token.
    ///
    /// # Errors
    /// With the first that is not known, or has a value that it cannot have.
    pub fn check_properties(&self) -> Result<(), PolicyError> {
        for (section, rules) in [
            (Section::Configuration, &self.configuration),
            (Section::Issuance, &self.issuance),
        ] {
            for rule in rules {
                if let Action::Claim {
                    verb: Verb::IssueProperty,
                    source: Source::New { claim_type, value },
                    ..
                } = &rule.action
                {
                    check(section, claim_type, value)?;
                }
            }
        }
        Ok(())
    }
}

fn check(section: Section, claim_type: &Expression, value: &Expression) -> Result<(), PolicyError> {
    let at = |expression: &Expression, error| PolicyError {
        position: expression.position,
        problem: PolicyProblem::Property(error),
    };
    let ExpressionKind::Literal(Value::String(name)) = &claim_type.kind else {
        return Ok(());
    };
    let property = read(section, name).map_err(|error| at(claim_type, error))?;
    if let ExpressionKind::Literal(literal) = &value.kind {
        property.value(literal).map_err(|error| at(value, error))?;
    }
    Ok(())
}

/// The properties that are known.
#[derive(Clone, Copy)]
enum Property {
    TcbIdentifier,
    ReportValidity,
    OmitX5c,
}

/// What a property asks for.
enum Asked {
    Nothing,
    Baseline(u32),
    Validity(u32),
}

fn read(section: Section, name: &str) -> Result<Property, PropertyError> {
    let unknown = |known| PropertyError::Unknown {
        section: section.name(),
        name: name.to_owned(),
        known,
    };
    match section {
        Section::Configuration if name == "x-ms-sgx-tcbidentifier" => Ok(Property::TcbIdentifier),
        Section::Configuration => Err(unknown("x-ms-sgx-tcbidentifier")),
        Section::Issuance if name == "report_validity_in_minutes" => Ok(Property::ReportValidity),
        Section::Issuance if name == "omit_x5c" => Ok(Property::OmitX5c),
        // The grammar has none there.
        Section::Issuance | Section::Authorization => Err(unknown("report_validity_in_minutes and omit_x5c")),
    }
}

impl Property {
    fn value(self, value: &Value) -> Result<Asked, PropertyError> {
        let wrong = |name, expected| PropertyError::Value {
            name,
            value: value.clone(),
            expected,
        };
        match self {
            Self::TcbIdentifier => {
                let number = match value {
                    Value::String(name) if name == "azuredefault" => return Ok(Asked::Nothing),
                    Value::String(number) => number.parse().ok(),
                    Value::Integer(number) => u32::try_from(*number).ok(),
                    Value::Boolean(_) => None,
                };
                let expected = "\"azuredefault\" or the number of a TCB recovery, for instance \"17\"";
                number
                    .map(Asked::Baseline)
                    .ok_or_else(|| wrong("x-ms-sgx-tcbidentifier", expected))
            }
            Self::ReportValidity => match value {
                Value::Integer(minutes) if *minutes >= 1 => {
                    let minutes = u32::try_from(*minutes).unwrap_or(MAX_VALIDITY_MINUTES);
                    Ok(Asked::Validity(minutes.min(MAX_VALIDITY_MINUTES)))
                }
                _ => Err(wrong("report_validity_in_minutes", "an integer from 1 on")),
            },
            // Tokens never have a certificate in them.
            Self::OmitX5c => match value {
                Value::Boolean(true) => Ok(Asked::Nothing),
                _ => Err(wrong(
                    "omit_x5c",
                    "true: tokens name their key, whose certificate is at the address in jku",
                )),
            },
        }
    }
}
