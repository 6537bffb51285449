//! Evaluates a query, step by counted step.

use std::collections::BTreeMap;

use jmespath::ast::Comparator;

use super::compile::{Node, Slice};
use super::data::{Data, Kind, Shared, compare_numbers, from_json};
use super::function;
use crate::budget::Budget;
use crate::evaluation::EvaluationProblem;

/// What the expression gives for the current data.
pub(crate) fn interpret(
    node: &Node,
    current: &Shared,
    budget: &mut Budget,
) -> Result<Shared, EvaluationProblem> {
    budget.step()?;
    let null = || Data::new(Kind::Null);
    Ok(match node {
        Node::Current => Shared::clone(current),
        Node::Field(name) => match current.kind() {
            Kind::Object(members) => members.get(name).map_or_else(null, Shared::clone),
            _ => null(),
        },
        Node::Index(index) => match current.kind() {
            Kind::Array(elements) => element(elements, *index).map_or_else(null, Shared::clone),
            _ => null(),
        },
        Node::Slice(slice) => match current.kind() {
            Kind::Array(elements) => array(slice.of(elements), budget)?,
            _ => null(),
        },
        Node::Literal(value) => from_json(value, budget)?,
        Node::List(_) | Node::Object(_) if matches!(current.kind(), Kind::Null) => null(),
        Node::List(nodes) => {
            let elements: Result<Vec<_>, _> = nodes
                .iter()
                .map(|node| interpret(node, current, budget))
                .collect();
            array(elements?, budget)?
        }
        Node::Object(nodes) => {
            let mut members = BTreeMap::new();
            for (key, node) in nodes {
                budget.work_on(key.len())?;
                members.insert(key.clone(), interpret(node, current, budget)?);
            }
            Data::new(Kind::Object(members))
        }
        Node::Chain(first, then) => interpret(then, &interpret(first, current, budget)?, budget)?,
        Node::Projection(from, each) => match interpret(from, current, budget)?.kind() {
            Kind::Array(elements) => {
                let mut found = Vec::new();
                for element in elements {
                    let value = interpret(each, element, budget)?;
                    if !matches!(value.kind(), Kind::Null) {
                        found.push(value);
                    }
                }
                array(found, budget)?
            }
            _ => null(),
        },
        Node::Filter(predicate, then) => {
            if interpret(predicate, current, budget)?.is_truthy() {
                interpret(then, current, budget)?
            } else {
                null()
            }
        }
        Node::Flatten(node) => match interpret(node, current, budget)?.kind() {
            Kind::Array(elements) => flatten(elements, budget)?,
            _ => null(),
        },
        Node::ObjectValues(node) => match interpret(node, current, budget)?.kind() {
            Kind::Object(members) => array(members.values().cloned().collect(), budget)?,
            _ => null(),
        },
        Node::Or(left, right) => {
            let left = interpret(left, current, budget)?;
            if left.is_truthy() {
                left
            } else {
                interpret(right, current, budget)?
            }
        }
        Node::And(left, right) => {
            let left = interpret(left, current, budget)?;
            if left.is_truthy() {
                interpret(right, current, budget)?
            } else {
                left
            }
        }
        Node::Not(node) => {
            let is_truthy = interpret(node, current, budget)?.is_truthy();
            Data::new(Kind::Boolean(!is_truthy))
        }
        Node::Comparison(comparator, left, right) => {
            let left = interpret(left, current, budget)?;
            let right = interpret(right, current, budget)?;
            budget.work_on(left.size().min(right.size()))?;
            compare(comparator, &left, &right)
        }
        Node::Call(function, arguments) => function::call(*function, arguments, current, budget)?,
    })
}

/// An array, a step for each element.
pub(crate) fn array(elements: Vec<Shared>, budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
    for _ in &elements {
        budget.step()?;
    }
    Ok(Data::new(Kind::Array(elements)))
}

/// Counted from the end if negative.
fn element(elements: &[Shared], index: i32) -> Option<&Shared> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    let index = if index < 0 {
        elements.len().checked_sub(distance)?
    } else {
        distance
    };
    elements.get(index)
}

fn flatten(elements: &[Shared], budget: &mut Budget) -> Result<Shared, EvaluationProblem> {
    let mut flat = Vec::new();
    for element in elements {
        let inner = match element.kind() {
            Kind::Array(inner) => inner.as_slice(),
            _ => std::slice::from_ref(element),
        };
        for element in inner {
            budget.step()?;
            flat.push(Shared::clone(element));
        }
    }
    array(flat, budget)
}

/// Only numbers have an order; without one the result is null.
fn compare(comparator: &Comparator, left: &Shared, right: &Shared) -> Shared {
    let ordered = |holds: fn(std::cmp::Ordering) -> bool| match (left.kind(), right.kind()) {
        (Kind::Number(left), Kind::Number(right)) => Kind::Boolean(holds(compare_numbers(left, right))),
        _ => Kind::Null,
    };
    Data::new(match comparator {
        Comparator::Equal => Kind::Boolean(left.equals(right)),
        Comparator::NotEqual => Kind::Boolean(!left.equals(right)),
        Comparator::LessThan => ordered(std::cmp::Ordering::is_lt),
        Comparator::LessThanEqual => ordered(std::cmp::Ordering::is_le),
        Comparator::GreaterThan => ordered(std::cmp::Ordering::is_gt),
        Comparator::GreaterThanEqual => ordered(std::cmp::Ordering::is_ge),
    })
}

impl Slice {
    /// The elements from start to before stop, every step.
    fn of(self, elements: &[Shared]) -> Vec<Shared> {
        let len = i64::try_from(elements.len()).unwrap_or(i64::MAX);
        let step = i64::from(self.step);
        let is_backward = step < 0;
        // Where an end that lies outside is moved to.
        let (lowest, highest) = if is_backward {
            (-1, len.saturating_sub(1))
        } else {
            (0, len)
        };
        let bound = |end: Option<i32>, otherwise: i64| match end.map(i64::from) {
            None => otherwise,
            Some(end) if end < 0 => end.saturating_add(len).clamp(lowest, highest),
            Some(end) => end.min(highest),
        };
        let (start, stop) = if is_backward {
            (bound(self.start, highest), bound(self.stop, lowest))
        } else {
            (bound(self.start, lowest), bound(self.stop, highest))
        };
        let mut found = Vec::new();
        let mut index = start;
        while if is_backward { index > stop } else { index < stop } {
            let element = usize::try_from(index).ok().and_then(|index| elements.get(index));
            found.extend(element.cloned());
            index = index.saturating_add(step);
        }
        found
    }
}
