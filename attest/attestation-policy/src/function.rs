//! The functions of version 1.2 of the language.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::budget::Budget;
use crate::claim::{Value, ValueType};
use crate::failure::{EvaluationError, EvaluationProblem};
use crate::json;
use crate::query;
use crate::syntax::{Expression, Function};
use crate::values::Values;

/// An argument as it is written, and its values.
type Argument<'a> = (&'a Expression, Values<'a>);

/// The values of a call.
pub(crate) fn call<'a>(
    expression: &'a Expression,
    function: Function,
    arguments: &[Argument<'a>],
    budget: &mut Budget,
) -> Result<Values<'a>, EvaluationError> {
    let is_read_only = arguments.iter().any(|(_, values)| values.is_read_only);
    let call = Call {
        expression,
        function,
        arguments,
    };
    let values = match function {
        Function::JmesPath => {
            let query_text = call.text(1, budget)?;
            let found = json::parse(call.text(0, budget)?, "argument 1 of JmesPath", budget)
                .map_err(|problem| call.fails(0, problem))
                .and_then(|data| {
                    query::search(&data, query_text, budget).map_err(|problem| call.fails(1, problem))
                })?;
            Values::one(Value::String(found))
        }
        Function::JsonToClaimValue => {
            let data = json::parse(call.text(0, budget)?, "argument 1 of JsonToClaimValue", budget)
                .map_err(|problem| call.fails(0, problem))?;
            let members = json::claim_values(data).map_err(|problem| call.fails(0, problem))?;
            Values {
                members: members.into_iter().map(Cow::Owned).collect(),
                is_read_only: false,
            }
        }
        Function::AppendString => {
            let (front, back) = (call.text(0, budget)?, call.text(1, budget)?);
            let size = front.len().saturating_add(back.len());
            Budget::value(size)
                .and_then(|()| budget.work_on(size))
                .map_err(|problem| expression.fails(problem))?;
            Values::one(Value::String([front, back].concat()))
        }
        Function::NegateBool => match call.single(0, budget)? {
            Value::Boolean(boolean) => Values::one(Value::Boolean(!boolean)),
            other => return Err(call.wrong_type(0, ValueType::Boolean, other)),
        },
        // What these two say is no longer the claim's own value: it is never read-only.
        Function::IsSubsetOf => {
            let (part, whole) = (call.set(0, budget)?, call.set(1, budget)?);
            return Ok(Values::one(Value::Boolean(part.is_subset(&whole))));
        }
        Function::ContainsOnlyValue => {
            let wanted = call.single(1, budget)?;
            let set = call.set(0, budget)?;
            let is_only = set.len() == 1 && set.contains(wanted);
            return Ok(Values::one(Value::Boolean(is_only)));
        }
    };
    Ok(Values {
        is_read_only,
        ..values
    })
}

struct Call<'c, 'a> {
    expression: &'a Expression,
    function: Function,
    arguments: &'c [Argument<'a>],
}

impl<'c, 'a> Call<'c, 'a> {
    /// The one value of an argument.
    fn single(&self, index: usize, budget: &mut Budget) -> Result<&'c Value, EvaluationError> {
        let Some((_, values)) = self.arguments.get(index) else {
            // The parser counts arguments.
            return Err(self.fails(index, EvaluationProblem::JsonValue("nothing")));
        };
        values
            .single(&self.name_of(index), budget)
            .map_err(|problem| self.fails(index, problem))
    }

    /// The one string of an argument.
    fn text(&self, index: usize, budget: &mut Budget) -> Result<&'c str, EvaluationError> {
        match self.single(index, budget)? {
            Value::String(text) => Ok(text),
            other => Err(self.wrong_type(index, ValueType::String, other)),
        }
    }

    /// All values of an argument, each once.
    fn set(&self, index: usize, budget: &mut Budget) -> Result<HashSet<&'c Value>, EvaluationError> {
        match self.arguments.get(index) {
            Some((_, values)) => values.set(budget).map_err(|problem| self.fails(index, problem)),
            None => Ok(HashSet::new()),
        }
    }

    fn wrong_type(&self, index: usize, expected: ValueType, found: &Value) -> EvaluationError {
        self.fails(
            index,
            EvaluationProblem::Type {
                what: self.name_of(index),
                expected,
                found: found.value_type(),
            },
        )
    }

    /// At the argument.
    fn fails(&self, index: usize, problem: EvaluationProblem) -> EvaluationError {
        match self.arguments.get(index) {
            Some((argument, _)) => argument.fails(problem),
            None => self.expression.fails(problem),
        }
    }

    fn name_of(&self, index: usize) -> String {
        format!("argument {} of {}", index.saturating_add(1), self.function.name())
    }
}
