//! JSON data that expressions can share, with their size.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Serialize, Serializer};
use serde_json::{Number, Value as Json};

use crate::budget::Budget;
use crate::failure::EvaluationProblem;
use crate::json::exact_integer;

/// Shared data. As a tree they may be much larger than they are in memory.
pub(crate) type Shared = Rc<Data>;

/// A JSON value.
#[derive(Debug)]
pub(crate) struct Data {
    size: usize,
    kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    Number(Number),
    String(String),
    Array(Vec<Shared>),
    Object(BTreeMap<String, Shared>),
}

impl Data {
    pub(crate) fn new(kind: Kind) -> Shared {
        // Two brackets, and a comma between each two parts.
        let parts = |sizes: &mut dyn Iterator<Item = usize>| {
            sizes
                .fold(1usize, |sum, size| sum.saturating_add(size).saturating_add(1))
                .max(2)
        };
        let size = match &kind {
            Kind::Null | Kind::Boolean(_) => 4,
            Kind::Number(_) => 1,
            Kind::String(text) => text.len().saturating_add(2),
            Kind::Array(elements) => parts(&mut elements.iter().map(|element| element.size)),
            Kind::Object(members) => parts(
                &mut members
                    .iter()
                    .map(|(key, value)| key.len().saturating_add(value.size).saturating_add(3)),
            ),
        };
        Rc::new(Self { size, kind })
    }

    pub(crate) const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Bytes that it has as text, at least: the work it takes to go through all of it.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// What a condition takes for true.
    pub(crate) fn is_truthy(&self) -> bool {
        match &self.kind {
            Kind::Null => false,
            Kind::Boolean(boolean) => *boolean,
            Kind::Number(_) => true,
            Kind::String(text) => !text.is_empty(),
            Kind::Array(elements) => !elements.is_empty(),
            Kind::Object(members) => !members.is_empty(),
        }
    }

    /// As JMESPath names its type.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Boolean(_) => "boolean",
            Kind::Number(_) => "number",
            Kind::String(_) => "string",
            Kind::Array(_) => "array",
            Kind::Object(_) => "object",
        }
    }

    /// Equal in all parts. The caller has counted the size of one of the two.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Boolean(one), Kind::Boolean(two)) => one == two,
            (Kind::Number(one), Kind::Number(two)) => compare_numbers(one, two).is_eq(),
            (Kind::String(one), Kind::String(two)) => one == two,
            (Kind::Array(one), Kind::Array(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.equals(two))
            }
            (Kind::Object(one), Kind::Object(two)) => {
                one.len() == two.len()
                    && one
                        .iter()
                        .zip(two)
                        .all(|((key, one), (other_key, two))| key == other_key && one.equals(two))
            }
            _ => false,
        }
    }
}

/// Exact as long as both are integers.
pub(crate) fn compare_numbers(one: &Number, two: &Number) -> std::cmp::Ordering {
    let integer = |number: &Number| {
        let signed = number.as_i64().map(i128::from);
        signed.or_else(|| number.as_u64().map(i128::from))
    };
    match (integer(one), integer(two)) {
        (Some(one), Some(two)) => one.cmp(&two),
        // JSON has neither infinity nor NaN.
        _ => float(one).total_cmp(&float(two)),
    }
}

/// The nearest floating point number; zero has one sign.
pub(crate) fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default() + 0.0
}

/// A number that was computed; an integer is written as one.
pub(crate) fn from_float(float: f64) -> Result<Number, EvaluationProblem> {
    exact_integer(float)
        .map(Number::from)
        .or_else(|| Number::from_f64(float))
        .ok_or_else(|| EvaluationProblem::QueryFailed("a number is too large for JSON".to_owned()))
}

/// Takes over JSON; a step for each value.
pub(crate) fn from_json(json: &Json, budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
    budget.step()?;
    let kind = match json {
        Json::Null => Kind::Null,
        Json::Bool(boolean) => Kind::Boolean(*boolean),
        Json::Number(number) => Kind::Number(number.clone()),
        Json::String(text) => Kind::String(text.clone()),
        Json::Array(elements) => Kind::Array(
            elements
                .iter()
                .map(|element| from_json(element, budget))
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(members) => Kind::Object(
            members
                .iter()
                .map(|(key, value)| Ok((key.clone(), from_json(value, budget)?)))
                .collect::<Result<_, EvaluationProblem>>()?,
        ),
    };
    Ok(Data::new(kind))
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            Kind::Null => serializer.serialize_unit(),
            Kind::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Kind::Number(number) => number.serialize(serializer),
            Kind::String(text) => serializer.serialize_str(text),
            Kind::Array(elements) => serializer.collect_seq(elements.iter().map(AsRef::as_ref)),
            Kind::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, value.as_ref())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else what fits would be refused, or what is large take no steps.
    #[test]
    fn the_size_is_that_of_the_text() {
        for text in [
            "null",
            "true",
            "7",
            "\"\"",
            "\"abc\"",
            "[]",
            "[1]",
            "[1,2]",
            "{}",
            "{\"a\":1}",
            "{\"a\":[{},[]],\"b\":\"x\"}",
        ] {
            let json = serde_json::from_str(text).unwrap();
            let data = from_json(&json, &mut Budget::new(0).unwrap()).unwrap();
            assert_eq!(data.size(), text.len(), "{text}");
        }
    }
}
