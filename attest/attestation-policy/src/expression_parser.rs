//! Expressions: literals, `name.property` and calls of functions.

use crate::claim::Value;
use crate::error::{PolicyError, PolicyProblem};
use crate::lexer::{Sign, Token, shortened};
use crate::limits::MAX_DEPTH;
use crate::parser::Parser;
use crate::position::Position;
use crate::query;
use crate::rule_parser::wrong_type;
use crate::syntax::{Condition, Expression, ExpressionKind, Function, Property, Version};

impl Parser<'_> {
    /// An expression, which may name the conditions before it.
    pub(crate) fn expression(&mut self, before: &[Condition]) -> Result<Expression, PolicyError> {
        self.nested_expression(before, 0)
    }

    fn nested_expression(&mut self, before: &[Condition], depth: usize) -> Result<Expression, PolicyError> {
        let position = self.position;
        let kind = match self.token.clone() {
            Token::Text(text) => {
                self.advance()?;
                ExpressionKind::Literal(Value::String(text))
            }
            Token::Digits(_) | Token::Sign(Sign::Minus) => {
                ExpressionKind::Literal(Value::Integer(self.integer()?))
            }
            Token::Word(word) => self.word(position, word, before, depth)?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Expression { position, kind })
    }

    /// `12`, `-12`
    fn integer(&mut self) -> Result<i64, PolicyError> {
        let position = self.position;
        let sign = if self.take_sign(Sign::Minus)? { "-" } else { "" };
        let Token::Digits(digits) = &self.token else {
            return Err(self.expected("a number"));
        };
        let text = format!("{sign}{digits}");
        let number = text.parse().map_err(|_| PolicyError {
            position,
            problem: PolicyProblem::IntegerRange(shortened(&text)),
        })?;
        self.advance()?;
        Ok(number)
    }

    /// What begins with a word: `c.value`, `Function(…)`, `true`.
    fn word(
        &mut self,
        position: Position,
        word: String,
        before: &[Condition],
        depth: usize,
    ) -> Result<ExpressionKind, PolicyError> {
        let word_error = |problem| PolicyError { position, problem };
        let as_name = Parser::condition_named(self, &word, before);
        self.advance()?;
        match self.token {
            Token::Sign(Sign::Dot) => {
                let condition = as_name?;
                self.advance()?;
                let property = Property::ALL
                    .into_iter()
                    .find(|property| self.is_word(property.name()))
                    .ok_or_else(|| self.expected("type, value, valueType or issuer"))?;
                self.advance()?;
                Ok(ExpressionKind::Property { condition, property })
            }
            Token::Sign(Sign::LeftParenthesis) => {
                let function = Function::from_name(&word)
                    .ok_or_else(|| word_error(PolicyProblem::UnknownFunction(shortened(&word))))?;
                if self.version < Version::V1_2 {
                    return Err(word_error(PolicyProblem::NeedsVersion {
                        what: "functions",
                        needed: Version::V1_2,
                        declared: self.version,
                    }));
                }
                if depth == MAX_DEPTH {
                    return Err(word_error(PolicyProblem::TooMany {
                        what: "functions are nested too deeply",
                        limit: MAX_DEPTH,
                    }));
                }
                self.call(position, function, before, depth.saturating_add(1))
            }
            _ if word.eq_ignore_ascii_case("true") => Ok(ExpressionKind::Literal(Value::Boolean(true))),
            _ if word.eq_ignore_ascii_case("false") => Ok(ExpressionKind::Literal(Value::Boolean(false))),
            _ if as_name.is_ok() => Err(self.expected(format!(". and a property, as in {word}.value"))),
            _ if Function::from_name(&word).is_some() => Err(self.expected("(")),
            _ => Err(word_error(PolicyProblem::Expected {
                expected: "a value: a string, an integer, true, false, name.value or a function".to_owned(),
                found: shortened(&word),
            })),
        }
    }

    /// The arguments behind a function's name.
    fn call(
        &mut self,
        position: Position,
        function: Function,
        before: &[Condition],
        depth: usize,
    ) -> Result<ExpressionKind, PolicyError> {
        self.sign(Sign::LeftParenthesis)?;
        let mut arguments = Vec::new();
        if self.token != Token::Sign(Sign::RightParenthesis) {
            loop {
                arguments.push(self.nested_expression(before, depth)?);
                if !self.take_sign(Sign::Comma)? {
                    break;
                }
            }
        }
        if !self.take_sign(Sign::RightParenthesis)? {
            return Err(self.expected(", or )"));
        }
        let parameters = function.parameters();
        if arguments.len() != parameters.len() {
            return Err(PolicyError {
                position,
                problem: PolicyProblem::ArgumentCount {
                    function: function.name(),
                    expected: parameters.len(),
                    found: arguments.len(),
                },
            });
        }
        for (index, (argument, parameter)) in arguments.iter().zip(parameters).enumerate() {
            if let (Some(expected), Some(found)) = (*parameter, argument.static_type())
                && expected != found
            {
                let what = format!("argument {} of {}", index.saturating_add(1), function.name());
                return Err(wrong_type(argument.position, what, expected, found));
            }
        }
        check_query(function, &arguments)?;
        Ok(ExpressionKind::Call { function, arguments })
    }
}

/// A query that is written out is checked before there are any claims.
fn check_query(function: Function, arguments: &[Expression]) -> Result<(), PolicyError> {
    let [_, query] = arguments else { return Ok(()) };
    match (function, &query.kind) {
        (Function::JmesPath, ExpressionKind::Literal(Value::String(text))) => {
            query::check(text).map_err(|reason| PolicyError {
                position: query.position,
                problem: PolicyProblem::Query(reason),
            })
        }
        _ => Ok(()),
    }
}
