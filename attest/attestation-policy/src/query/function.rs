//! JMESPath's functions, and `equals_ignore_case`, which Microsoft's examples use.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Number;

use super::compile::{Argument, Node};
use super::data::{Data, Kind, Shared, compare_numbers, float, from_float};
use super::interpret::{array, interpret};
use super::to_text;
use crate::budget::Budget;
use crate::failure::EvaluationProblem;

/// Sorting makes each element take part in about so many comparisons, each of which is a step at least.
const SORT_STEPS: usize = 20;

macro_rules! functions {
    ($($function:ident $name:literal $arity:expr;)*) => {
        /// The function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function { $($function),* }

        impl Function {
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$function),)*
                    _ => None,
                }
            }

            const fn name(self) -> &'static str {
                match self { $(Self::$function => $name),* }
            }

            /// How many arguments it takes.
            pub(crate) const fn arity(self) -> RangeInclusive<usize> {
                match self { $(Self::$function => $arity),* }
            }
        }
    };
}

functions! {
    Abs "abs" 1..=1;
    Avg "avg" 1..=1;
    Ceil "ceil" 1..=1;
    Contains "contains" 2..=2;
    EndsWith "ends_with" 2..=2;
    EqualsIgnoreCase "equals_ignore_case" 2..=2;
    Floor "floor" 1..=1;
    Join "join" 2..=2;
    Keys "keys" 1..=1;
    Length "length" 1..=1;
    Map "map" 2..=2;
    Max "max" 1..=1;
    MaxBy "max_by" 2..=2;
    Merge "merge" 1..=usize::MAX;
    Min "min" 1..=1;
    MinBy "min_by" 2..=2;
    NotNull "not_null" 1..=usize::MAX;
    Reverse "reverse" 1..=1;
    Sort "sort" 1..=1;
    SortBy "sort_by" 2..=2;
    StartsWith "starts_with" 2..=2;
    Sum "sum" 1..=1;
    ToArray "to_array" 1..=1;
    ToNumber "to_number" 1..=1;
    ToString "to_string" 1..=1;
    Type "type" 1..=1;
    Values "values" 1..=1;
}

impl Function {
    /// Which argument is an expression.
    pub(crate) const fn expression_argument(self) -> Option<usize> {
        match self {
            Self::Map => Some(0),
            Self::MaxBy | Self::MinBy | Self::SortBy => Some(1),
            _ => None,
        }
    }
}

/// Calls a function.
pub(crate) fn call(
    function: Function,
    arguments: &[Argument],
    current: &Shared,
    budget: &mut Budget,
) -> Result<Shared, EvaluationProblem> {
    let mut call = Call {
        function,
        values: Vec::new(),
        expression: None,
    };
    for argument in arguments {
        match argument {
            Argument::Value(node) => call.values.push(interpret(node, current, budget)?),
            Argument::Expression(node) => call.expression = Some(node),
        }
    }
    call.result(budget)
}

/// A function and its arguments; `values` has those that are no expressions.
struct Call<'a> {
    function: Function,
    values: Vec<Shared>,
    expression: Option<&'a Node>,
}

impl Call<'_> {
    fn result(&self, budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
        let kind = match self.function {
            Function::Abs => Kind::Number(self.number(f64::abs)?),
            Function::Ceil => Kind::Number(self.number(f64::ceil)?),
            Function::Floor => Kind::Number(self.number(f64::floor)?),
            Function::Sum => Kind::Number(sum(&self.numbers(budget)?)?),
            Function::Avg => match self.numbers(budget)?.as_slice() {
                [] => Kind::Null,
                #[expect(clippy::cast_precision_loss, reason = "there are not 2^53 of them")]
                numbers => Kind::Number(from_float(float(&sum(numbers)?) / numbers.len() as f64)?),
            },
            Function::Contains => Kind::Boolean(self.contains(budget)?),
            Function::StartsWith => Kind::Boolean(self.texts(budget)?.0.starts_with(self.texts(budget)?.1)),
            Function::EndsWith => Kind::Boolean(self.texts(budget)?.0.ends_with(self.texts(budget)?.1)),
            Function::EqualsIgnoreCase => Kind::Boolean(self.equals_ignore_case(budget)?),
            Function::Join => Kind::String(self.join(budget)?),
            Function::Keys => {
                let members = self.object(0)?;
                let mut keys = Vec::new();
                for key in members.keys() {
                    budget.work_on(key.len())?;
                    keys.push(Data::new(Kind::String(key.clone())));
                }
                Kind::Array(keys)
            }
            Function::Values => return array(self.object(0)?.values().cloned().collect(), budget),
            Function::Length => Kind::Number(Number::from(self.length(budget)?)),
            Function::Map => {
                let mut mapped = Vec::new();
                for element in self.array(0)? {
                    mapped.push(self.apply(element, budget)?);
                }
                return array(mapped, budget);
            }
            Function::Max => return self.extreme(Ordering::Greater, budget),
            Function::Min => return self.extreme(Ordering::Less, budget),
            Function::MaxBy => return self.extreme_by(Ordering::Greater, budget),
            Function::MinBy => return self.extreme_by(Ordering::Less, budget),
            Function::Sort => {
                let keyed = self
                    .array(0)?
                    .iter()
                    .map(|element| (element.clone(), element.clone()));
                return self.sorted(keyed.collect(), budget);
            }
            Function::SortBy => return self.sorted(self.keyed(budget)?, budget),
            Function::Merge => {
                let mut merged = BTreeMap::new();
                for index in 0..self.values.len() {
                    for (key, value) in self.object(index)? {
                        budget.work_on(key.len())?;
                        merged.insert(key.clone(), value.clone());
                    }
                }
                Kind::Object(merged)
            }
            Function::NotNull => {
                let found = self
                    .values
                    .iter()
                    .find(|value| !matches!(value.kind(), Kind::Null));
                return Ok(found.cloned().unwrap_or_else(|| Data::new(Kind::Null)));
            }
            Function::Reverse => match self.first()?.kind() {
                Kind::String(text) => {
                    budget.work_on(text.len())?;
                    Kind::String(text.chars().rev().collect())
                }
                Kind::Array(elements) => return array(elements.iter().rev().cloned().collect(), budget),
                _ => return Err(self.wrong(0, "a string or an array")),
            },
            Function::ToArray => match self.first()?.kind() {
                Kind::Array(_) => return Ok(self.first()?.clone()),
                _ => Kind::Array(vec![self.first()?.clone()]),
            },
            Function::ToString => match self.first()?.kind() {
                Kind::String(_) => return Ok(self.first()?.clone()),
                _ => Kind::String(to_text(self.first()?, budget)?),
            },
            Function::ToNumber => match self.first()?.kind() {
                Kind::Number(number) => Kind::Number(number.clone()),
                Kind::String(text) => {
                    budget.work_on(text.len())?;
                    serde_json::from_str(text).map_or(Kind::Null, Kind::Number)
                }
                _ => Kind::Null,
            },
            Function::Type => Kind::String(self.first()?.type_name().to_owned()),
        };
        Ok(Data::new(kind))
    }

    fn value(&self, index: usize) -> Result<&Shared, EvaluationProblem> {
        // The compiler counts arguments.
        self.values.get(index).ok_or_else(|| self.wrong(index, "there"))
    }

    fn first(&self) -> Result<&Shared, EvaluationProblem> {
        self.value(0)
    }

    fn text(&self, index: usize) -> Result<&str, EvaluationProblem> {
        match self.value(index)?.kind() {
            Kind::String(text) => Ok(text),
            _ => Err(self.wrong(index, "a string")),
        }
    }

    /// Two strings that are compared.
    fn texts(&self, budget: &mut Budget) -> Result<(&str, &str), EvaluationProblem> {
        let (one, two) = (self.text(0)?, self.text(1)?);
        budget.work_on(one.len().min(two.len()))?;
        Ok((one, two))
    }

    fn array(&self, index: usize) -> Result<&[Shared], EvaluationProblem> {
        match self.value(index)?.kind() {
            Kind::Array(elements) => Ok(elements),
            _ => Err(self.wrong(index, "an array")),
        }
    }

    fn object(&self, index: usize) -> Result<&BTreeMap<String, Shared>, EvaluationProblem> {
        match self.value(index)?.kind() {
            Kind::Object(members) => Ok(members),
            _ => Err(self.wrong(index, "an object")),
        }
    }

    /// A function of one number.
    fn number(&self, function: fn(f64) -> f64) -> Result<Number, EvaluationProblem> {
        let Kind::Number(number) = self.first()?.kind() else {
            return Err(self.wrong(0, "a number"));
        };
        match number.as_i64() {
            // Exact, and rounding leaves it alone.
            Some(integer) if self.function == Function::Abs => Ok(Number::from(integer.unsigned_abs())),
            Some(_) => Ok(number.clone()),
            None if number.is_u64() => Ok(number.clone()),
            None => from_float(function(float(number))),
        }
    }

    fn numbers(&self, budget: &mut Budget) -> Result<Vec<Number>, EvaluationProblem> {
        let mut numbers = Vec::new();
        for element in self.array(0)? {
            budget.step()?;
            let Kind::Number(number) = element.kind() else {
                return Err(self.wrong(0, "an array of numbers"));
            };
            numbers.push(number.clone());
        }
        Ok(numbers)
    }

    fn contains(&self, budget: &mut Budget) -> Result<bool, EvaluationProblem> {
        let wanted = self.value(1)?;
        match self.first()?.kind() {
            Kind::String(text) => {
                budget.work_on(text.len())?;
                Ok(match wanted.kind() {
                    Kind::String(part) => text.contains(part.as_str()),
                    _ => false,
                })
            }
            Kind::Array(elements) => {
                for element in elements {
                    budget.work_on(element.size().min(wanted.size()))?;
                    if element.equals(wanted) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Err(self.wrong(0, "a string or an array")),
        }
    }

    /// A value that is no string (a field that is missing) equals nothing.
    fn equals_ignore_case(&self, budget: &mut Budget) -> Result<bool, EvaluationProblem> {
        match (self.first()?.kind(), self.value(1)?.kind()) {
            (Kind::String(one), Kind::String(two)) => {
                budget.work_on(one.len().saturating_add(two.len()))?;
                Ok(one.to_lowercase() == two.to_lowercase())
            }
            _ => Ok(false),
        }
    }

    fn join(&self, budget: &mut Budget) -> Result<String, EvaluationProblem> {
        let glue = self.text(0)?;
        let mut joined = String::new();
        for (index, element) in self.array(1)?.iter().enumerate() {
            let Kind::String(text) = element.kind() else {
                return Err(self.wrong(1, "an array of strings"));
            };
            let size = glue.len().saturating_add(text.len());
            budget.work_on(size)?;
            Budget::value(joined.len().saturating_add(size))?;
            if index > 0 {
                joined.push_str(glue);
            }
            joined.push_str(text);
        }
        Ok(joined)
    }

    /// Characters, elements or members.
    fn length(&self, budget: &mut Budget) -> Result<usize, EvaluationProblem> {
        match self.first()?.kind() {
            Kind::String(text) => {
                budget.work_on(text.len())?;
                Ok(text.chars().count())
            }
            Kind::Array(elements) => Ok(elements.len()),
            Kind::Object(members) => Ok(members.len()),
            _ => Err(self.wrong(0, "a string, an array or an object")),
        }
    }

    fn apply(&self, element: &Shared, budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
        match self.expression {
            Some(node) => interpret(node, element, budget),
            None => Err(self.wrong(0, "an expression with &")),
        }
    }

    fn extreme(&self, wanted: Ordering, budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
        let keyed = self
            .array(0)?
            .iter()
            .map(|element| (element.clone(), element.clone()));
        self.extreme_of(keyed.collect(), wanted, budget)
    }

    fn extreme_by(&self, wanted: Ordering, budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
        self.extreme_of(self.keyed(budget)?, wanted, budget)
    }

    /// The elements, each behind what the expression gives for it.
    fn keyed(&self, budget: &mut Budget) -> Result<Vec<(Shared, Shared)>, EvaluationProblem> {
        let mut keyed = Vec::new();
        for element in self.array(0)? {
            keyed.push((self.apply(element, budget)?, element.clone()));
        }
        Ok(keyed)
    }

    /// The first of those whose key is the largest or the smallest.
    fn extreme_of(
        &self,
        keyed: Vec<(Shared, Shared)>,
        wanted: Ordering,
        budget: &mut Budget,
    ) -> Result<Shared, EvaluationProblem> {
        self.check_keys(&keyed)?;
        let mut best: Option<(Shared, Shared)> = None;
        for (key, element) in keyed {
            budget.work_on(key.size())?;
            let is_better = match &best {
                None => true,
                Some((best, _)) => compare_keys(&key, best) == wanted,
            };
            if is_better {
                best = Some((key, element));
            }
        }
        Ok(best.map_or_else(|| Data::new(Kind::Null), |(_, element)| element))
    }

    fn sorted(
        &self,
        mut keyed: Vec<(Shared, Shared)>,
        budget: &mut Budget,
    ) -> Result<Shared, EvaluationProblem> {
        self.check_keys(&keyed)?;
        for (key, _) in &keyed {
            for _ in 0..SORT_STEPS {
                budget.work_on(key.size())?;
            }
        }
        keyed.sort_by(|(one, _), (two, _)| compare_keys(one, two));
        array(keyed.into_iter().map(|(_, element)| element).collect(), budget)
    }

    /// Only numbers among each other have an order, and strings.
    fn check_keys(&self, keyed: &[(Shared, Shared)]) -> Result<(), EvaluationProblem> {
        let all = |is: fn(&Kind) -> bool| keyed.iter().all(|(key, _)| is(key.kind()));
        if all(|kind| matches!(kind, Kind::Number(_))) || all(|kind| matches!(kind, Kind::String(_))) {
            return Ok(());
        }
        Err(self.fails("compares numbers only, or strings only"))
    }

    fn wrong(&self, index: usize, expected: &str) -> EvaluationProblem {
        let found = self
            .values
            .get(index)
            .map_or("nothing", |value| value.type_name());
        self.fails(&format!(
            "needs {expected} as its argument {}, not {found}",
            index.saturating_add(1)
        ))
    }

    fn fails(&self, why: &str) -> EvaluationProblem {
        EvaluationProblem::QueryFailed(format!("{} {why}", self.function.name()))
    }
}

fn compare_keys(one: &Data, two: &Data) -> Ordering {
    match (one.kind(), two.kind()) {
        (Kind::Number(one), Kind::Number(two)) => compare_numbers(one, two),
        (Kind::String(one), Kind::String(two)) => one.cmp(two),
        _ => Ordering::Equal,
    }
}

/// Exact while all are integers of 64 bits.
fn sum(numbers: &[Number]) -> Result<Number, EvaluationProblem> {
    let exact = numbers
        .iter()
        .try_fold(0i64, |sum, number| sum.checked_add(number.as_i64()?));
    match exact {
        Some(sum) => Ok(Number::from(sum)),
        None => from_float(numbers.iter().map(float).sum()),
    }
}
