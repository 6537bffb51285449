//! JMESPath, which the function `JmesPath` evaluates: <https://jmespath.org/specification.html>.
//!
//! The grammar is the `jmespath` crate's. The evaluation is our own, since a few characters of a query can double data
//! again and again (`[@,@][] | [@,@][] | …`), and the crate's evaluation has no bound; it also compares numbers
//! approximately and takes some queries for a reason to panic (a slice with a step near 2^31). Here each step is counted, and
//! shared data know their size, so that nothing is compared or written that is larger than what is left.

mod compile;
mod data;
mod function;
mod interpret;

use crate::budget::Budget;
use crate::failure::EvaluationProblem;
use crate::limits::MAX_VALUE;

/// Whether the text is a query at all.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(query: &str) -> Result<(), String> {
    compile::compile(query).map(drop)
}

/// The JSON that the query finds, as text.
pub(crate) fn search(
    data: &serde_json::Value,
    query: &str,
    budget: &mut Budget,
) -> Result<String, EvaluationProblem> {
    budget.work_on(query.len())?;
    let node = compile::compile(query).map_err(EvaluationProblem::Query)?;
    let data = data::from_json(data, budget)?;
    let found = interpret::interpret(&node, &data, budget)?;
    to_text(&found, budget)
}

fn to_text(data: &data::Data, budget: &mut Budget) -> Result<String, EvaluationProblem> {
    // The size is what the text has at least; escapes make it at most six times as long.
    Budget::value(data.size())?;
    budget.work_on(data.size())?;
    let text =
        serde_json::to_string(data).map_err(|error| EvaluationProblem::QueryFailed(error.to_string()))?;
    if text.len() > MAX_VALUE {
        return Err(EvaluationProblem::ValueTooLong);
    }
    Ok(text)
}
