//! Expressions and their values.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::budget::Budget;
use crate::claim::{Claim, Value};
use crate::evaluation::Found;
use crate::failure::{EvaluationError, EvaluationProblem};
use crate::function;
use crate::syntax::{Expression, ExpressionKind, Property};

/// The values of an expression: one for a literal, as many as there are claims for `name.value`, perhaps none.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    pub members: Vec<Cow<'a, Value>>,
    /// Whether they come from a read-only claim.
    pub is_read_only: bool,
}

impl<'a> Values<'a> {
    pub(crate) fn one(value: Value) -> Self {
        Self {
            members: vec![Cow::Owned(value)],
            is_read_only: false,
        }
    }

    /// The only value; several that are equal are one.
    pub(crate) fn single(&self, what: &str, budget: &mut Budget) -> Result<&Value, EvaluationProblem> {
        let set = self.set(budget)?;
        match self.members.first() {
            Some(first) if set.len() == 1 => Ok(first),
            _ => Err(EvaluationProblem::NotSingle {
                what: what.to_owned(),
                found: set.len(),
            }),
        }
    }

    /// All values, each once.
    pub(crate) fn set(&self, budget: &mut Budget) -> Result<HashSet<&Value>, EvaluationProblem> {
        let mut set = HashSet::new();
        for member in &self.members {
            budget.work_on(member.size())?;
            set.insert(member.as_ref());
        }
        Ok(set)
    }
}

impl Expression {
    pub(crate) const fn fails(&self, problem: EvaluationProblem) -> EvaluationError {
        EvaluationError {
            position: self.position,
            problem,
        }
    }
}

/// The values of an expression, arguments from left to right.
pub(crate) fn evaluate<'a>(
    expression: &'a Expression,
    claims: &'a [Cow<'_, Claim>],
    found: &Found,
    budget: &mut Budget,
) -> Result<Values<'a>, EvaluationError> {
    match &expression.kind {
        ExpressionKind::Literal(value) => Ok(Values {
            members: vec![Cow::Borrowed(value)],
            is_read_only: false,
        }),
        ExpressionKind::Property { condition, property } => {
            let numbers = found.get(*condition).map(Vec::as_slice).unwrap_or_default();
            let mut values = Values {
                members: Vec::new(),
                is_read_only: false,
            };
            for claim in numbers.iter().filter_map(|number| claims.get(*number)) {
                let value = property_of(claim, *property, budget);
                values
                    .members
                    .push(value.map_err(|problem| expression.fails(problem))?);
                values.is_read_only |= claim.is_read_only;
            }
            Ok(values)
        }
        ExpressionKind::Call { function, arguments } => {
            let mut values = Vec::new();
            for argument in arguments {
                values.push((argument, evaluate(argument, claims, found, budget)?));
            }
            function::call(expression, *function, &values, budget)
        }
    }
}

/// A claim's property; all but the value are copied.
fn property_of<'a>(
    claim: &'a Claim,
    property: Property,
    budget: &mut Budget,
) -> Result<Cow<'a, Value>, EvaluationProblem> {
    let text = match property {
        Property::Value => {
            budget.step()?;
            return Ok(Cow::Borrowed(&claim.value));
        }
        Property::Type => claim.claim_type.as_str(),
        Property::ValueType => claim.value.value_type().name(),
        Property::Issuer => claim.issuer.name(),
    };
    budget.work_on(text.len())?;
    Ok(Cow::Owned(Value::from(text)))
}
