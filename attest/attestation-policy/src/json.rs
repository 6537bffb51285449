//! JSON as the values of claims.

use serde_json::{Number, Value as Json};

use crate::budget::Budget;
use crate::claim::Value;
use crate::failure::EvaluationProblem;

/// Reads JSON. Its depth is bounded by `serde_json`, at 128.
pub(crate) fn parse(text: &str, what: &'static str, budget: &mut Budget) -> Result<Json, EvaluationProblem> {
    budget.work_on(text.len())?;
    serde_json::from_str(text).map_err(|error| EvaluationProblem::Json {
        what,
        reason: error.to_string(),
    })
}

/// The values that JSON stands for: one for a primitive, none for null, one for each element of an array.
pub(crate) fn claim_values(json: Json) -> Result<Vec<Value>, EvaluationProblem> {
    match json {
        Json::Array(elements) => elements
            .into_iter()
            .filter_map(|element| match element {
                Json::Array(_) => Some(Err(EvaluationProblem::JsonValue("an array within an array"))),
                Json::Object(_) => Some(Err(EvaluationProblem::JsonValue("an object within an array"))),
                primitive => claim_value(primitive).transpose(),
            })
            .collect(),
        primitive => Ok(claim_value(primitive)?.into_iter().collect()),
    }
}

/// The value of a primitive; null has none.
fn claim_value(json: Json) -> Result<Option<Value>, EvaluationProblem> {
    match json {
        Json::Null => Ok(None),
        Json::Bool(boolean) => Ok(Some(Value::Boolean(boolean))),
        Json::String(text) => Ok(Some(Value::String(text))),
        Json::Number(number) => Ok(Some(Value::Integer(integer(&number)?))),
        Json::Array(_) => Err(EvaluationProblem::JsonValue("an array")),
        Json::Object(_) => Err(EvaluationProblem::JsonValue("an object")),
    }
}

/// Functions of JMESPath compute with floating point numbers: `6.0` is an integer, as long as it is exact.
fn integer(number: &Number) -> Result<i64, EvaluationProblem> {
    if let Some(integer) = number.as_i64() {
        return Ok(integer);
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    exact_integer(float).ok_or(EvaluationProblem::JsonValue(if float.fract() == 0.0 {
        "a number beyond the integers of 64 bits"
    } else {
        "a fraction"
    }))
}

/// The integer that a floating point number is, without doubt.
pub(crate) fn exact_integer(float: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "integral and within 53 bits, as was checked"
    )]
    Some(float as i64)
}
