//! Rules: `name:[type=="x", value>=2] && … => action(…);`

use crate::claim::ValueType;
use crate::error::{PolicyError, PolicyProblem};
use crate::lexer::{Sign, Token, shortened};
use crate::limits::{MAX_COMPARISONS, MAX_CONDITIONS};
use crate::parser::Parser;
use crate::position::Position;
use crate::syntax::{
    Action, Condition, Expression, Operator, Property, Rule, Section, Source, Test, Verb, Version,
};

impl Parser<'_> {
    /// `condition && condition => action;`
    pub(crate) fn rule(&mut self, section: Section) -> Result<Rule, PolicyError> {
        let position = self.position;
        let mut conditions = Vec::new();
        if self.token != Token::Sign(Sign::Arrow) {
            loop {
                if conditions.len() == MAX_CONDITIONS {
                    return Err(self.too_many("the rule has too many conditions", MAX_CONDITIONS));
                }
                let condition = self.condition(&conditions)?;
                conditions.push(condition);
                if !self.take_sign(Sign::And)? {
                    break;
                }
            }
        }
        if !self.take_sign(Sign::Arrow)? {
            return Err(self.expected("&& or =>"));
        }
        let action = self.action(section, &conditions)?;
        self.sign(Sign::Semicolon)?;
        Ok(Rule {
            position,
            conditions,
            action,
        })
    }

    /// `!name:[test, test]`
    fn condition(&mut self, before: &[Condition]) -> Result<Condition, PolicyError> {
        let is_negated = self.token == Token::Sign(Sign::Not);
        if is_negated {
            self.needs(Version::V1_2, "conditions with !")?;
            self.advance()?;
        }
        let name = self.condition_name(before)?;
        if self.token != Token::Sign(Sign::LeftBracket) {
            return Err(
                self.expected(if before.is_empty() && !is_negated && name.is_none() {
                    "a condition like c:[type==\"x\"], => or }"
                } else {
                    "["
                }),
            );
        }
        self.advance()?;
        let mut tests = Vec::new();
        loop {
            if tests.len() == MAX_COMPARISONS {
                return Err(self.too_many("the condition has too many comparisons", MAX_COMPARISONS));
            }
            tests.push(self.test(before)?);
            if !self.take_sign(Sign::Comma)? {
                break;
            }
        }
        if !self.take_sign(Sign::RightBracket)? {
            return Err(self.expected(", or ]"));
        }
        Ok(Condition {
            is_negated,
            name,
            tests,
        })
    }

    /// `name:`, if it is there.
    fn condition_name(&mut self, before: &[Condition]) -> Result<Option<String>, PolicyError> {
        let Token::Word(name) = &self.token else {
            return Ok(None);
        };
        let name = name.clone();
        if before.iter().any(|other| other.name.as_ref() == Some(&name)) {
            return Err(self.error(PolicyProblem::DuplicateName(shortened(&name))));
        }
        self.advance()?;
        self.sign(Sign::Colon)?;
        Ok(Some(name))
    }

    /// `property == expression`
    fn test(&mut self, before: &[Condition]) -> Result<Test, PolicyError> {
        let position = self.position;
        let property = Property::ALL
            .into_iter()
            .find(|property| self.is_word(property.name()))
            .ok_or_else(|| self.expected("type, value, valueType or issuer"))?;
        self.advance()?;
        let operator = self.operator()?;
        let expected = self.expression(before)?;
        self.check_types(position, property, operator, &expected)?;
        Ok(Test {
            position,
            property,
            operator,
            expected,
        })
    }

    fn operator(&mut self) -> Result<Operator, PolicyError> {
        let operator = match self.token {
            Token::Sign(Sign::Equal) => Operator::Equal,
            Token::Sign(Sign::NotEqual) => Operator::NotEqual,
            Token::Sign(Sign::Less) => Operator::Less,
            Token::Sign(Sign::LessOrEqual) => Operator::LessOrEqual,
            Token::Sign(Sign::Greater) => Operator::Greater,
            Token::Sign(Sign::GreaterOrEqual) => Operator::GreaterOrEqual,
            Token::Sign(Sign::Assign) => return Err(self.error(PolicyProblem::AssignmentInCondition)),
            _ => return Err(self.expected("== != < <= > or >=")),
        };
        self.advance()?;
        Ok(operator)
    }

    /// A test that no claim could ever pass or fail by its value is a mistake: refused, as far as types are known.
    fn check_types(
        &self,
        position: Position,
        property: Property,
        operator: Operator,
        expected: &Expression,
    ) -> Result<(), PolicyError> {
        let sides = [
            (position, property.static_type()),
            (expected.position, expected.static_type()),
        ];
        if operator.is_ordering() {
            for (position, found) in sides {
                if let Some(found @ (ValueType::String | ValueType::Boolean)) = found {
                    return Err(wrong_type(
                        position,
                        format!("what {} compares", operator.symbol()),
                        ValueType::Integer,
                        found,
                    ));
                }
            }
        }
        match (property.static_type(), expected.static_type()) {
            (Some(needed), Some(found)) if needed != found => Err(wrong_type(
                expected.position,
                property.name().to_owned(),
                needed,
                found,
            )),
            _ => Ok(()),
        }
    }

    /// `permit()`, `deny()`, or one that makes claims.
    fn action(&mut self, section: Section, conditions: &[Condition]) -> Result<Action, PolicyError> {
        let position = self.position;
        let allowed = section.actions();
        let kind = ActionName::ALL
            .into_iter()
            .find(|action| self.is_word(action.name()))
            .ok_or_else(|| self.expected(format!("an action: {allowed}")))?;
        if !kind.belongs_to(section) {
            return Err(self.error(PolicyProblem::ActionNotHere {
                action: kind.name(),
                section: section.name(),
                allowed,
            }));
        }
        self.advance()?;
        self.sign(Sign::LeftParenthesis)?;
        let action = match kind {
            ActionName::Permit => Action::Permit,
            ActionName::Deny => Action::Deny,
            ActionName::Claim(verb) => Action::Claim {
                position,
                verb,
                source: self.source(conditions)?,
            },
        };
        self.sign(Sign::RightParenthesis)?;
        Ok(action)
    }

    /// `type=…, value=…` or `claim=name`
    fn source(&mut self, conditions: &[Condition]) -> Result<Source, PolicyError> {
        if self.is_word("claim") {
            self.advance()?;
            self.sign(Sign::Assign)?;
            let Token::Word(name) = &self.token else {
                return Err(self.expected("the name of a condition"));
            };
            let condition = self.condition_named(name, conditions)?;
            self.advance()?;
            return Ok(Source::Claims { condition });
        }
        let (mut claim_type, mut value) = (None, None);
        loop {
            let (name, place) = if self.is_word("type") {
                ("type", &mut claim_type)
            } else if self.is_word("value") {
                ("value", &mut value)
            } else {
                return Err(self.not_an_argument());
            };
            if place.is_some() {
                return Err(self.error(PolicyProblem::Expected {
                    expected: "one type and one value".to_owned(),
                    found: format!("a second {name}"),
                }));
            }
            self.advance()?;
            self.sign(Sign::Assign)?;
            *place = Some(self.expression(conditions)?);
            if !self.take_sign(Sign::Comma)? {
                break;
            }
        }
        let (Some(claim_type), Some(value)) = (claim_type, value) else {
            return Err(self.expected(", and both type=… and value=…"));
        };
        if let Some(found @ (ValueType::Integer | ValueType::Boolean)) = claim_type.static_type() {
            let what = "the type of a claim".to_owned();
            return Err(wrong_type(claim_type.position, what, ValueType::String, found));
        }
        Ok(Source::New { claim_type, value })
    }

    fn not_an_argument(&self) -> PolicyError {
        [Property::ValueType, Property::Issuer]
            .into_iter()
            .find(|property| self.is_word(property.name()))
            .map_or_else(
                || self.expected("type=…, value=… or claim=…"),
                |property| self.error(PolicyProblem::FixedProperty(property.name())),
            )
    }

    /// The number of the condition with this name, which is at hand.
    pub(crate) fn condition_named(&self, name: &str, before: &[Condition]) -> Result<usize, PolicyError> {
        let named = |condition: &Condition| condition.name.as_deref() == Some(name);
        let found = before.iter().enumerate().find(|(_, condition)| named(condition));
        match found {
            None => Err(self.error(PolicyProblem::UnknownName(shortened(name)))),
            Some((_, condition)) if condition.is_negated => {
                Err(self.error(PolicyProblem::NegatedName(shortened(name))))
            }
            Some((number, _)) => Ok(number),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum ActionName {
    Permit,
    Deny,
    Claim(Verb),
}

impl ActionName {
    const ALL: [Self; 5] = [
        Self::Permit,
        Self::Deny,
        Self::Claim(Verb::Add),
        Self::Claim(Verb::Issue),
        Self::Claim(Verb::IssueProperty),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
            Self::Claim(verb) => verb.name(),
        }
    }

    const fn belongs_to(self, section: Section) -> bool {
        match section {
            Section::Configuration => matches!(self, Self::Claim(Verb::IssueProperty)),
            Section::Authorization => matches!(self, Self::Permit | Self::Deny | Self::Claim(Verb::Add)),
            Section::Issuance => matches!(self, Self::Claim(_)),
        }
    }
}

impl Section {
    /// Its actions, for messages.
    const fn actions(self) -> &'static str {
        match self {
            Self::Configuration => "issueproperty",
            Self::Authorization => "permit, deny and add",
            Self::Issuance => "add, issue and issueproperty",
        }
    }
}

pub(crate) const fn wrong_type(
    position: Position,
    what: String,
    expected: ValueType,
    found: ValueType,
) -> PolicyError {
    PolicyError {
        position,
        problem: PolicyProblem::WrongType {
            what,
            expected,
            found,
        },
    }
}
