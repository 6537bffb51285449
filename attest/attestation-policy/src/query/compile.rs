//! The compiler of queries: from text to the form that is interpreted.

use jmespath::ast::{Ast, Comparator, KeyValuePair};

use super::function::Function;
use crate::limits::{MAX_QUERY, MAX_QUERY_OPERATORS};

/// An expression: the grammar's tree, with functions that exist and have the right number of arguments.
#[derive(Debug)]
pub(crate) enum Node {
    Current,
    Field(String),
    Index(i32),
    Slice(Slice),
    Literal(serde_json::Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// The second applied to what the first gives.
    Chain(Box<Node>, Box<Node>),
    /// The second applied to each element of what the first gives.
    Projection(Box<Node>, Box<Node>),
    /// The second if the first is true, otherwise null.
    Filter(Box<Node>, Box<Node>),
    Flatten(Box<Node>),
    ObjectValues(Box<Node>),
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Comparison(Comparator, Box<Node>, Box<Node>),
    Call(Function, Vec<Argument>),
}

/// An argument of a function.
#[derive(Debug)]
pub(crate) enum Argument {
    Value(Node),
    /// `&expression`, which the function applies to elements.
    Expression(Node),
}

/// `[start:stop:step]`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub start: Option<i32>,
    pub stop: Option<i32>,
    pub step: i32,
}

/// Reads a query.
pub(crate) fn compile(query: &str) -> Result<Node, String> {
    if query.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if query.len() > MAX_QUERY {
        return Err(format!("it has more than {MAX_QUERY} bytes"));
    }
    // The crate's parser recurs with each of them; counted before it sees the text, within strings as well.
    let signs = query
        .bytes()
        .filter(|byte| b"[({.|&!<>=,:*".contains(byte))
        .count();
    if signs > MAX_QUERY_OPERATORS {
        return Err(format!(
            "it has more than {MAX_QUERY_OPERATORS} operators and brackets"
        ));
    }
    let ast = jmespath::parse(query).map_err(|error| match error.reason {
        jmespath::ErrorReason::Parse(reason) => {
            format!("{reason} (character {})", error.offset.saturating_add(1))
        }
        jmespath::ErrorReason::Runtime(reason) => reason.to_string(),
    })?;
    convert(ast)
}

fn convert(ast: Ast) -> Result<Node, String> {
    let boxed = |ast: Box<Ast>| convert(*ast).map(Box::new);
    Ok(match ast {
        Ast::Identity { .. } => Node::Current,
        Ast::Field { name, .. } => Node::Field(name),
        Ast::Index { idx, .. } => Node::Index(idx),
        Ast::Slice {
            start, stop, step, ..
        } => {
            if step == 0 {
                return Err("the step of a slice cannot be 0".to_owned());
            }
            Node::Slice(Slice { start, stop, step })
        }
        Ast::Literal { value, .. } => {
            Node::Literal(serde_json::to_value(value.as_ref()).map_err(|error| error.to_string())?)
        }
        Ast::MultiList { elements, .. } => {
            Node::List(elements.into_iter().map(convert).collect::<Result<_, _>>()?)
        }
        Ast::MultiHash { elements, .. } => {
            let member = |KeyValuePair { key, value }| Ok((key, convert(value)?));
            Node::Object(elements.into_iter().map(member).collect::<Result<_, String>>()?)
        }
        Ast::Subexpr { lhs, rhs, .. } => Node::Chain(boxed(lhs)?, boxed(rhs)?),
        Ast::Projection { lhs, rhs, .. } => Node::Projection(boxed(lhs)?, boxed(rhs)?),
        Ast::Condition { predicate, then, .. } => Node::Filter(boxed(predicate)?, boxed(then)?),
        Ast::Flatten { node, .. } => Node::Flatten(boxed(node)?),
        Ast::ObjectValues { node, .. } => Node::ObjectValues(boxed(node)?),
        Ast::Or { lhs, rhs, .. } => Node::Or(boxed(lhs)?, boxed(rhs)?),
        Ast::And { lhs, rhs, .. } => Node::And(boxed(lhs)?, boxed(rhs)?),
        Ast::Not { node, .. } => Node::Not(boxed(node)?),
        Ast::Comparison {
            comparator, lhs, rhs, ..
        } => Node::Comparison(comparator, boxed(lhs)?, boxed(rhs)?),
        Ast::Function { name, args, .. } => call(&name, args)?,
        Ast::Expref { .. } => return Err("& is for the arguments of functions".to_owned()),
    })
}

fn call(name: &str, arguments: Vec<Ast>) -> Result<Node, String> {
    let function = Function::from_name(name).ok_or_else(|| format!("there is no function {name}"))?;
    let arity = function.arity();
    if !arity.contains(&arguments.len()) {
        let expected = if arity.end() == arity.start() {
            arity.start().to_string()
        } else {
            format!("at least {}", arity.start())
        };
        return Err(format!(
            "{name} takes {expected} arguments, not {}",
            arguments.len()
        ));
    }
    let mut converted = Vec::new();
    for (index, argument) in arguments.into_iter().enumerate() {
        let wants_expression = function.expression_argument() == Some(index);
        let number = index.saturating_add(1);
        converted.push(match (argument, wants_expression) {
            (Ast::Expref { ast, .. }, true) => Argument::Expression(convert(*ast)?),
            (Ast::Expref { .. }, false) => {
                return Err(format!("argument {number} of {name} is no expression with &"));
            }
            (_, true) => return Err(format!("argument {number} of {name} is an expression with &")),
            (ast, false) => Argument::Value(convert(ast)?),
        });
    }
    Ok(Node::Call(function, converted))
}
