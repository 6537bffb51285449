//! Comparisons of a claim's property with an expected value.

use crate::budget::Budget;
use crate::claim::{Claim, Value, ValueType};
use crate::failure::{EvaluationError, EvaluationProblem};
use crate::syntax::{Operator, Property, Test};
use crate::values::Values;

/// A test whose right side is known.
pub(crate) struct PreparedTest<'a> {
    test: &'a Test,
    expected: Values<'a>,
}

impl<'a> PreparedTest<'a> {
    /// Which is larger can only be asked about one integer.
    pub(crate) fn new(
        test: &'a Test,
        expected: Values<'a>,
        budget: &mut Budget,
    ) -> Result<Self, EvaluationError> {
        if test.operator.is_ordering() {
            let what = format!("what {} compares with", test.operator.symbol());
            let single = expected
                .single(&what, budget)
                .map_err(|problem| test.expected.fails(problem))?;
            if !matches!(single, Value::Integer(_)) {
                return Err(test.expected.fails(EvaluationProblem::Type {
                    what,
                    expected: ValueType::Integer,
                    found: single.value_type(),
                }));
            }
        }
        Ok(Self { test, expected })
    }

    pub(crate) const fn at(&self, problem: EvaluationProblem) -> EvaluationError {
        EvaluationError {
            position: self.test.position,
            problem,
        }
    }

    /// `==` holds when one of the expected values equals, `!=` when none does; values of different types are never equal.
    pub(crate) fn passes(&self, claim: &Claim, budget: &mut Budget) -> Result<bool, EvaluationProblem> {
        budget.step()?;
        match self.test.operator {
            Operator::Equal => self.contains(claim, budget),
            Operator::NotEqual => Ok(!self.contains(claim, budget)?),
            _ => self.is_in_order(claim),
        }
    }

    fn contains(&self, claim: &Claim, budget: &mut Budget) -> Result<bool, EvaluationProblem> {
        let text = match self.test.property {
            Property::Type => &claim.claim_type,
            Property::ValueType => claim.value.value_type().name(),
            Property::Issuer => claim.issuer.name(),
            Property::Value => {
                for expected in &self.expected.members {
                    budget.work_on(expected.size().min(claim.value.size()))?;
                    if **expected == claim.value {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
        };
        for expected in &self.expected.members {
            if let Value::String(expected) = expected.as_ref() {
                budget.work_on(expected.len().min(text.len()))?;
                if expected == text {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A claim that is no integer is neither larger nor smaller, and must not slip past a rule for that.
    fn is_in_order(&self, claim: &Claim) -> Result<bool, EvaluationProblem> {
        let Value::Integer(actual) = claim.value else {
            return Err(EvaluationProblem::OrderOfClaim {
                symbol: self.test.operator.symbol(),
                claim_type: claim.claim_type.clone(),
                found: claim.value.value_type(),
            });
        };
        let Some(Value::Integer(expected)) = self.expected.members.first().map(AsRef::as_ref) else {
            return Ok(false);
        };
        Ok(match self.test.operator {
            Operator::Less => actual < *expected,
            Operator::LessOrEqual => actual <= *expected,
            Operator::Greater => actual > *expected,
            Operator::GreaterOrEqual => actual >= *expected,
            Operator::Equal | Operator::NotEqual => false,
        })
    }
}
