//! From claims to a decision.
//!
//! The sections are evaluated in their order, and the rules of each in theirs. A claim that a rule makes is among the incoming
//! claims of all rules after it. A condition's name stands for *all* claims that pass it; a rule acts once, however
//! many there are, so that no rule multiplies the claims of its conditions with each other.

use std::borrow::Cow;

use crate::budget::Budget;
use crate::claim::{Claim, Issuer, Value, ValueType};
use crate::function;
use crate::limits::{MAX_CLAIMS, MAX_MADE, MAX_STEPS, MAX_VALUE};
use crate::position::Position;
use crate::syntax::{
    Action, Condition, Expression, ExpressionKind, Operator, Policy, Property, Rule, Source, Test, Verb,
};

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There may be a token.
    Permitted(Permission),
    /// There may not.
    Denied(Denial),
}

/// A decision for a token, and what goes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Of the first rule that permits.
    pub by: Position,
    /// Claims for the token, in the order in which they were issued; several may have the same type.
    pub issued: Vec<Claim>,
    /// What the issuance rules say about the token itself, for instance `report_validity_in_minutes`. A service has to know
    /// what it does with an unknown one.
    pub properties: Vec<Claim>,
    /// What the configuration rules say, as [`Policy::configuration`] does.
    pub configuration: Vec<Claim>,
}

/// Why there may be no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A rule denies, which overrules all that permit.
    #[error("the rule at {0} denies")]
    Rule(Position),
    /// Nobody permits.
    #[error("no rule permits")]
    NoRulePermits,
}

/// A policy that cannot be evaluated with these claims: never a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct EvaluationError {
    /// Of the part of the policy that failed.
    pub position: Position,
    /// What is wrong.
    pub problem: EvaluationProblem,
}

/// Why an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationProblem {
    /// Which is larger was asked of something that is no integer.
    #[error("{symbol} compares integers, and the claim {claim_type:?} is {}", .found.noun())]
    OrderOfClaim {
        /// The operator.
        symbol: &'static str,
        /// Which claim.
        claim_type: String,
        /// Its type.
        found: ValueType,
    },
    /// A value of another type is needed.
    #[error("{what} is {}, not {}", .expected.noun(), .found.noun())]
    Type {
        /// For what.
        what: String,
        /// The type that is needed.
        expected: ValueType,
        /// The type of the value.
        found: ValueType,
    },
    /// One value is needed.
    #[error("{what} is a single value, and here are {found} different ones")]
    NotSingle {
        /// For what.
        what: String,
        /// Different values.
        found: usize,
    },
    /// The text is not JSON.
    #[error("{what} is not JSON: {reason}")]
    Json {
        /// Which text.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// JSON that no claim can have as its value.
    #[error("{0} cannot be the value of a claim")]
    JsonValue(&'static str),
    /// The query is not one.
    #[error("not a JMESPath query: {0}")]
    Query(String),
    /// The query fails on these data.
    #[error("the JMESPath query fails: {0}")]
    QueryFailed(String),
    /// A claim that is not to leave the service, or something that was made of it.
    #[error("the claim {0:?} is read-only, or made of one that is: rules can examine it, but not issue it")]
    ReadOnly(String),
    /// See [`MAX_CLAIMS`].
    #[error("there are more than {MAX_CLAIMS} claims")]
    TooManyClaims,
    /// See [`MAX_VALUE`].
    #[error("a value has more than {MAX_VALUE} bytes")]
    ValueTooLong,
    /// See [`MAX_MADE`].
    #[error("the claims that rules make have more than {MAX_MADE} bytes")]
    TooManyBytes,
    /// See [`MAX_STEPS`].
    #[error("the evaluation takes more than {MAX_STEPS} steps")]
    TooMuchWork,
}

impl Policy {
    /// Decides.
    ///
    /// # Errors
    /// When a function, a comparison or an action fails with these claims, or a limit is reached. What follows a rule that
    /// denies is not evaluated.
    pub fn evaluate(&self, claims: &[Claim]) -> Result<Decision, EvaluationError> {
        let mut evaluation = Evaluation::new(claims)?;
        evaluation.run(&self.configuration)?;
        let configuration = std::mem::take(&mut evaluation.properties);
        let mut by = None;
        for rule in &self.authorization {
            match evaluation.apply(rule)? {
                Effect::Denies => return Ok(Decision::Denied(Denial::Rule(rule.position))),
                Effect::Permits => by = by.or(Some(rule.position)),
                Effect::None => {}
            }
        }
        let Some(by) = by else {
            return Ok(Decision::Denied(Denial::NoRulePermits));
        };
        evaluation.run(&self.issuance)?;
        Ok(Decision::Permitted(Permission {
            by,
            issued: evaluation.issued,
            properties: evaluation.properties,
            configuration,
        }))
    }

    /// What the configuration rules say, which a service may need before it verifies anything (`x-ms-sgx-tcbidentifier`). With
    /// conditions in them, it depends on the claims.
    ///
    /// # Errors
    /// As [`Policy::evaluate`].
    pub fn configuration(&self, claims: &[Claim]) -> Result<Vec<Claim>, EvaluationError> {
        let mut evaluation = Evaluation::new(claims)?;
        evaluation.run(&self.configuration)?;
        Ok(evaluation.properties)
    }
}

enum Effect {
    Permits,
    Denies,
    None,
}

/// For each condition of a rule, which claims pass it.
type Found = Vec<Vec<usize>>;

struct Evaluation<'a> {
    /// The incoming claims: those given, then those made.
    claims: Vec<Cow<'a, Claim>>,
    issued: Vec<Claim>,
    properties: Vec<Claim>,
    budget: Budget,
}

impl<'a> Evaluation<'a> {
    fn new(claims: &'a [Claim]) -> Result<Self, EvaluationError> {
        let at_start = |problem| EvaluationError {
            position: Position::START,
            problem,
        };
        for claim in claims {
            let longest = claim.claim_type.len().max(claim.value.size());
            Budget::value(longest).map_err(at_start)?;
        }
        Ok(Self {
            claims: claims.iter().map(Cow::Borrowed).collect(),
            issued: Vec::new(),
            properties: Vec::new(),
            budget: Budget::new(claims.len()).map_err(at_start)?,
        })
    }

    fn run(&mut self, rules: &[Rule]) -> Result<(), EvaluationError> {
        for rule in rules {
            self.apply(rule)?;
        }
        Ok(())
    }

    fn apply(&mut self, rule: &Rule) -> Result<Effect, EvaluationError> {
        let mut found = Found::new();
        for condition in &rule.conditions {
            let passing = self.passing(condition, &found)?;
            if passing.is_empty() != condition.is_negated {
                return Ok(Effect::None);
            }
            found.push(passing);
        }
        match &rule.action {
            Action::Permit => return Ok(Effect::Permits),
            Action::Deny => return Ok(Effect::Denies),
            Action::Claim {
                position,
                verb,
                source,
            } => self.act(*position, *verb, source, &found)?,
        }
        Ok(Effect::None)
    }

    /// The numbers of the claims that pass all tests.
    fn passing(&mut self, condition: &Condition, found: &Found) -> Result<Vec<usize>, EvaluationError> {
        let mut tests = Vec::new();
        for test in &condition.tests {
            let expected = evaluate(&test.expected, &self.claims, found, &mut self.budget)?;
            tests.push(PreparedTest::new(test, expected)?);
        }
        let mut passing = Vec::new();
        for (number, claim) in self.claims.iter().enumerate() {
            let mut passes = true;
            let mut error = None;
            for test in &tests {
                match test.passes(claim, &mut self.budget) {
                    Ok(true) => {}
                    Ok(false) => {
                        passes = false;
                        break;
                    }
                    // Which of the tests stands first must not matter: it is an error only if the claim passes the others.
                    Err(problem) if matches!(problem, EvaluationProblem::OrderOfClaim { .. }) => {
                        error = error.or(Some(test.at(problem)));
                    }
                    Err(problem) => return Err(test.at(problem)),
                }
            }
            match error {
                Some(error) if passes => return Err(error),
                _ if passes => passing.push(number),
                _ => {}
            }
        }
        Ok(passing)
    }

    /// Makes the claims of an action and puts them where they belong.
    fn act(
        &mut self,
        position: Position,
        verb: Verb,
        source: &Source,
        found: &Found,
    ) -> Result<(), EvaluationError> {
        let at = |problem| EvaluationError { position, problem };
        let (made, is_new) = match source {
            Source::Claims { condition } => {
                let numbers = found.get(*condition).map(Vec::as_slice).unwrap_or_default();
                let claims = numbers.iter().filter_map(|number| self.claims.get(*number));
                (claims.map(|claim| Claim::clone(claim)).collect(), false)
            }
            Source::New { claim_type, value } => (self.new_claims(claim_type, value, found)?, true),
        };
        for claim in made {
            if verb != Verb::Add && claim.is_read_only {
                return Err(at(EvaluationProblem::ReadOnly(claim.claim_type)));
            }
            self.budget
                .claim(claim.claim_type.len(), claim.value.size())
                .map_err(at)?;
            match verb {
                Verb::Add => {}
                Verb::Issue => self.issued.push(claim.clone()),
                Verb::IssueProperty => self.properties.push(claim.clone()),
            }
            // One that was taken from the incoming claims is there already.
            if is_new {
                self.claims.push(Cow::Owned(claim));
            }
        }
        Ok(())
    }

    /// A claim for each value.
    fn new_claims(
        &mut self,
        claim_type: &Expression,
        value: &Expression,
        found: &Found,
    ) -> Result<Vec<Claim>, EvaluationError> {
        let types = evaluate(claim_type, &self.claims, found, &mut self.budget)?;
        let name = match types.single("the type of a claim") {
            Ok(Value::String(name)) => name.clone(),
            Ok(other) => {
                return Err(claim_type.fails(EvaluationProblem::Type {
                    what: "the type of a claim".to_owned(),
                    expected: ValueType::String,
                    found: other.value_type(),
                }));
            }
            Err(problem) => return Err(claim_type.fails(problem)),
        };
        let is_read_only = types.is_read_only;
        let values = evaluate(value, &self.claims, found, &mut self.budget)?;
        let is_read_only = is_read_only || values.is_read_only;
        let mut claims = Vec::new();
        for member in values.members {
            // All of them are alive before the first is counted as made.
            let size = name.len().saturating_add(member.size());
            self.budget
                .work_on(size)
                .map_err(|problem| value.fails(problem))?;
            claims.push(Claim {
                claim_type: name.clone(),
                value: member.into_owned(),
                issuer: Issuer::AttestationPolicy,
                is_read_only,
            });
        }
        Ok(claims)
    }
}

/// The values of an expression: one for a literal, as many as there are claims for `name.value`, perhaps none.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    pub members: Vec<Cow<'a, Value>>,
    /// Whether they come from a read-only claim.
    pub is_read_only: bool,
}

impl<'a> Values<'a> {
    pub(crate) fn one(value: Value) -> Self {
        Self {
            members: vec![Cow::Owned(value)],
            is_read_only: false,
        }
    }

    /// The only value; several that are equal are one.
    pub(crate) fn single(&self, what: &str) -> Result<&Value, EvaluationProblem> {
        let mut members = self.members.iter();
        match members.next() {
            Some(first) if members.all(|other| other == first) => Ok(first),
            _ => Err(EvaluationProblem::NotSingle {
                what: what.to_owned(),
                found: self.distinct(),
            }),
        }
    }

    fn distinct(&self) -> usize {
        let members: std::collections::HashSet<&Value> = self.members.iter().map(AsRef::as_ref).collect();
        members.len()
    }
}

impl Expression {
    pub(crate) const fn fails(&self, problem: EvaluationProblem) -> EvaluationError {
        EvaluationError {
            position: self.position,
            problem,
        }
    }
}

/// The values of an expression, arguments from left to right.
fn evaluate<'a>(
    expression: &'a Expression,
    claims: &'a [Cow<'_, Claim>],
    found: &Found,
    budget: &mut Budget,
) -> Result<Values<'a>, EvaluationError> {
    match &expression.kind {
        ExpressionKind::Literal(value) => Ok(Values {
            members: vec![Cow::Borrowed(value)],
            is_read_only: false,
        }),
        ExpressionKind::Property { condition, property } => {
            let numbers = found.get(*condition).map(Vec::as_slice).unwrap_or_default();
            let mut values = Values {
                members: Vec::new(),
                is_read_only: false,
            };
            for claim in numbers.iter().filter_map(|number| claims.get(*number)) {
                budget.step().map_err(|problem| expression.fails(problem))?;
                values.is_read_only |= claim.is_read_only;
                values.members.push(property_of(claim, *property));
            }
            Ok(values)
        }
        ExpressionKind::Call { function, arguments } => {
            let mut values = Vec::new();
            for argument in arguments {
                values.push((argument, evaluate(argument, claims, found, budget)?));
            }
            function::call(expression, *function, &values, budget)
        }
    }
}

fn property_of(claim: &Claim, property: Property) -> Cow<'_, Value> {
    match property {
        Property::Value => Cow::Borrowed(&claim.value),
        Property::Type => Cow::Owned(Value::from(claim.claim_type.as_str())),
        Property::ValueType => Cow::Owned(Value::from(claim.value.value_type().name())),
        Property::Issuer => Cow::Owned(Value::from(claim.issuer.name())),
    }
}

/// A test whose right side is known.
struct PreparedTest<'a> {
    test: &'a Test,
    expected: Values<'a>,
}

impl<'a> PreparedTest<'a> {
    /// Which is larger can only be asked about one integer.
    fn new(test: &'a Test, expected: Values<'a>) -> Result<Self, EvaluationError> {
        if test.operator.is_ordering() {
            let what = format!("what {} compares with", test.operator.symbol());
            let single = expected
                .single(&what)
                .map_err(|problem| test.expected.fails(problem))?;
            if !matches!(single, Value::Integer(_)) {
                return Err(test.expected.fails(EvaluationProblem::Type {
                    what,
                    expected: ValueType::Integer,
                    found: single.value_type(),
                }));
            }
        }
        Ok(Self { test, expected })
    }

    const fn at(&self, problem: EvaluationProblem) -> EvaluationError {
        EvaluationError {
            position: self.test.position,
            problem,
        }
    }

    /// `==` holds when one of the expected values equals, `!=` when none does; values of different types are never equal.
    fn passes(&self, claim: &Claim, budget: &mut Budget) -> Result<bool, EvaluationProblem> {
        budget.step()?;
        match self.test.operator {
            Operator::Equal => self.contains(claim, budget),
            Operator::NotEqual => Ok(!self.contains(claim, budget)?),
            _ => self.is_in_order(claim),
        }
    }

    fn contains(&self, claim: &Claim, budget: &mut Budget) -> Result<bool, EvaluationProblem> {
        let text = match self.test.property {
            Property::Type => &claim.claim_type,
            Property::ValueType => claim.value.value_type().name(),
            Property::Issuer => claim.issuer.name(),
            Property::Value => {
                for expected in &self.expected.members {
                    budget.work_on(expected.size().min(claim.value.size()))?;
                    if **expected == claim.value {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
        };
        for expected in &self.expected.members {
            if let Value::String(expected) = expected.as_ref() {
                budget.work_on(expected.len().min(text.len()))?;
                if expected == text {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A claim that is no integer is neither larger nor smaller, and must not slip past a rule for that.
    fn is_in_order(&self, claim: &Claim) -> Result<bool, EvaluationProblem> {
        let Value::Integer(actual) = claim.value else {
            return Err(EvaluationProblem::OrderOfClaim {
                symbol: self.test.operator.symbol(),
                claim_type: claim.claim_type.clone(),
                found: claim.value.value_type(),
            });
        };
        let Some(Value::Integer(expected)) = self.expected.members.first().map(AsRef::as_ref) else {
            return Ok(false);
        };
        Ok(match self.test.operator {
            Operator::Less => actual < *expected,
            Operator::LessOrEqual => actual <= *expected,
            Operator::Greater => actual > *expected,
            Operator::GreaterOrEqual => actual >= *expected,
            Operator::Equal | Operator::NotEqual => false,
        })
    }
}
