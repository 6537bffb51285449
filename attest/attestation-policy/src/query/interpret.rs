//! The interpreter of queries, which counts every step.

use std::collections::BTreeMap;

use jmespath::ast::Comparator;

use super::compile::{Node, Slice};
use super::data::{Data, Kind, Shared, compare_numbers, from_json};
use super::function;
use crate::budget::Budget;
use crate::failure::EvaluationProblem;

/// What the expression gives, or that the budget or a function ends it.
type Found = Result<Shared, EvaluationProblem>;

/// What the expression gives for the current data. It recurs: an arm is a call, so that its own frame stays small.
pub(crate) fn interpret(node: &Node, current: &Shared, budget: &mut Budget) -> Found {
    budget.step()?;
    match node {
        Node::Current => Ok(Shared::clone(current)),
        Node::Field(name) => Ok(field(current, name)),
        Node::Index(index) => Ok(element(current, *index)),
        Node::Slice(slice) => sliced(current, *slice, budget),
        Node::Literal(value) => from_json(value, budget),
        Node::List(_) | Node::Object(_) if matches!(current.kind(), Kind::Null) => Ok(null()),
        Node::List(nodes) => list(nodes, current, budget),
        Node::Object(nodes) => object(nodes, current, budget),
        Node::Chain(first, then) => chain(first, then, current, budget),
        Node::Projection(from, each) => projection(from, each, current, budget),
        Node::Filter(predicate, then) => filter(predicate, then, current, budget),
        Node::Flatten(node) => flatten(node, current, budget),
        Node::ObjectValues(node) => object_values(node, current, budget),
        Node::Or(left, right) => or(left, right, current, budget),
        Node::And(left, right) => and(left, right, current, budget),
        Node::Not(node) => not(node, current, budget),
        Node::Comparison(comparator, left, right) => compare(comparator, left, right, current, budget),
        Node::Call(function, arguments) => function::call(*function, arguments, current, budget),
    }
}

fn null() -> Shared {
    Data::new(Kind::Null)
}

fn field(current: &Shared, name: &str) -> Shared {
    match current.kind() {
        Kind::Object(members) => members.get(name).map_or_else(null, Shared::clone),
        _ => null(),
    }
}

/// Counted from the end if negative.
fn element(current: &Shared, index: i32) -> Shared {
    let Kind::Array(elements) = current.kind() else {
        return null();
    };
    let distance = usize::try_from(index.unsigned_abs()).ok();
    let index = if index < 0 {
        distance.and_then(|distance| elements.len().checked_sub(distance))
    } else {
        distance
    };
    index
        .and_then(|index| elements.get(index))
        .map_or_else(null, Shared::clone)
}

fn sliced(current: &Shared, slice: Slice, budget: &mut Budget) -> Found {
    match current.kind() {
        Kind::Array(elements) => array(slice.of(elements), budget),
        _ => Ok(null()),
    }
}

fn list(nodes: &[Node], current: &Shared, budget: &mut Budget) -> Found {
    let mut elements = Vec::new();
    for node in nodes {
        elements.push(interpret(node, current, budget)?);
    }
    array(elements, budget)
}

fn object(nodes: &[(String, Node)], current: &Shared, budget: &mut Budget) -> Found {
    let mut members = BTreeMap::new();
    for (key, node) in nodes {
        budget.work_on(key.len())?;
        members.insert(key.clone(), interpret(node, current, budget)?);
    }
    Ok(Data::new(Kind::Object(members)))
}

fn chain(first: &Node, then: &Node, current: &Shared, budget: &mut Budget) -> Found {
    let found = interpret(first, current, budget)?;
    interpret(then, &found, budget)
}

fn projection(from: &Node, each: &Node, current: &Shared, budget: &mut Budget) -> Found {
    let from = interpret(from, current, budget)?;
    let Kind::Array(elements) = from.kind() else {
        return Ok(null());
    };
    let mut found = Vec::new();
    for element in elements {
        let value = interpret(each, element, budget)?;
        if !matches!(value.kind(), Kind::Null) {
            found.push(value);
        }
    }
    array(found, budget)
}

fn filter(predicate: &Node, then: &Node, current: &Shared, budget: &mut Budget) -> Found {
    if interpret(predicate, current, budget)?.is_truthy() {
        interpret(then, current, budget)
    } else {
        Ok(null())
    }
}

fn flatten(node: &Node, current: &Shared, budget: &mut Budget) -> Found {
    let nested = interpret(node, current, budget)?;
    let Kind::Array(elements) = nested.kind() else {
        return Ok(null());
    };
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
    Ok(Data::new(Kind::Array(flat)))
}

fn object_values(node: &Node, current: &Shared, budget: &mut Budget) -> Found {
    match interpret(node, current, budget)?.kind() {
        Kind::Object(members) => array(members.values().cloned().collect(), budget),
        _ => Ok(null()),
    }
}

fn or(left: &Node, right: &Node, current: &Shared, budget: &mut Budget) -> Found {
    let left = interpret(left, current, budget)?;
    if left.is_truthy() {
        return Ok(left);
    }
    interpret(right, current, budget)
}

fn and(left: &Node, right: &Node, current: &Shared, budget: &mut Budget) -> Found {
    let left = interpret(left, current, budget)?;
    if !left.is_truthy() {
        return Ok(left);
    }
    interpret(right, current, budget)
}

fn not(node: &Node, current: &Shared, budget: &mut Budget) -> Found {
    let is_truthy = interpret(node, current, budget)?.is_truthy();
    Ok(Data::new(Kind::Boolean(!is_truthy)))
}

fn compare(
    comparator: &Comparator,
    left: &Node,
    right: &Node,
    current: &Shared,
    budget: &mut Budget,
) -> Found {
    let left = interpret(left, current, budget)?;
    let right = interpret(right, current, budget)?;
    budget.work_on(left.size().min(right.size()))?;
    Ok(Data::new(comparison(comparator, &left, &right)))
}

/// Only numbers have an order; without one the result is null.
fn comparison(comparator: &Comparator, left: &Data, right: &Data) -> Kind {
    let ordered = |holds: fn(std::cmp::Ordering) -> bool| match (left.kind(), right.kind()) {
        (Kind::Number(left), Kind::Number(right)) => Kind::Boolean(holds(compare_numbers(left, right))),
        _ => Kind::Null,
    };
    match comparator {
        Comparator::Equal => Kind::Boolean(left.equals(right)),
        Comparator::NotEqual => Kind::Boolean(!left.equals(right)),
        Comparator::LessThan => ordered(std::cmp::Ordering::is_lt),
        Comparator::LessThanEqual => ordered(std::cmp::Ordering::is_le),
        Comparator::GreaterThan => ordered(std::cmp::Ordering::is_gt),
        Comparator::GreaterThanEqual => ordered(std::cmp::Ordering::is_ge),
    }
}

/// An array, a step for each element.
pub(crate) fn array(elements: Vec<Shared>, budget: &mut Budget) -> Found {
    for _ in &elements {
        budget.step()?;
    }
    Ok(Data::new(Kind::Array(elements)))
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
