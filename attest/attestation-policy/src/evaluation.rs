//! Evaluation of a policy: from claims to a decision.
//!
//! The sections are evaluated in their order, and the rules of each in theirs. A claim that a rule makes is among the incoming
//! claims of all rules after it. A condition's name stands for *all* claims that pass it; a rule acts once, however
//! many there are, so that no rule multiplies the claims of its conditions with each other.

use std::borrow::Cow;

use crate::budget::Budget;
use crate::claim::{Claim, Issuer, Value, ValueType};
use crate::comparison::PreparedTest;
use crate::decision::{Decision, Denial, Permission};
use crate::failure::{EvaluationError, EvaluationProblem};
use crate::position::Position;
use crate::syntax::{Action, Condition, Expression, Policy, Rule, Source, Verb};
use crate::values::evaluate;

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

/// What a rule does to the decision.
pub(crate) enum Effect {
    Permits,
    Denies,
    None,
}

/// For each condition of a rule, which claims pass it.
pub(crate) type Found = Vec<Vec<usize>>;

/// Whether a rule's conditions hold.
pub(crate) enum Met<'r> {
    /// All do.
    All(Found),
    /// This one is the first that does not; the claims that pass it are the last of those found.
    Not(&'r Condition, Found),
}

/// The state of an evaluation.
pub(crate) struct Evaluation<'a> {
    /// The incoming claims: those given, then those made.
    pub(crate) claims: Vec<Cow<'a, Claim>>,
    issued: Vec<Claim>,
    properties: Vec<Claim>,
    budget: Budget,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(claims: &'a [Claim]) -> Result<Self, EvaluationError> {
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

    pub(crate) fn run(&mut self, rules: &[Rule]) -> Result<(), EvaluationError> {
        for rule in rules {
            self.apply(rule)?;
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, rule: &Rule) -> Result<Effect, EvaluationError> {
        let Met::All(found) = self.meet(rule)? else {
            return Ok(Effect::None);
        };
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

    /// Whether all conditions of a rule hold.
    pub(crate) fn meet<'r>(&mut self, rule: &'r Rule) -> Result<Met<'r>, EvaluationError> {
        let mut found = Found::new();
        for condition in &rule.conditions {
            let passing = self.passing(condition, &found)?;
            let holds = passing.is_empty() == condition.is_negated;
            found.push(passing);
            if !holds {
                return Ok(Met::Not(condition, found));
            }
        }
        Ok(Met::All(found))
    }

    /// The numbers of the claims that pass all tests.
    fn passing(&mut self, condition: &Condition, found: &Found) -> Result<Vec<usize>, EvaluationError> {
        let mut tests = Vec::new();
        for test in &condition.tests {
            let expected = evaluate(&test.expected, &self.claims, found, &mut self.budget)?;
            tests.push(PreparedTest::new(test, expected, &mut self.budget)?);
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
        match source {
            Source::Claims { condition } => {
                for number in found.get(*condition).into_iter().flatten() {
                    let Some(claim) = self.claims.get(*number) else {
                        continue;
                    };
                    let (claim_type, size) = (claim.claim_type.len(), claim.value.size());
                    self.budget.claim(claim_type, size).map_err(at)?;
                    let claim = Claim::clone(claim);
                    // It is among the incoming claims already.
                    self.put(verb, claim).map_err(at)?;
                }
            }
            Source::New { claim_type, value } => {
                for claim in self.new_claims(position, claim_type, value, found)? {
                    self.put(verb, claim.clone()).map_err(at)?;
                    self.claims.push(Cow::Owned(claim));
                }
            }
        }
        Ok(())
    }

    /// To where an action sends claims, besides the incoming ones.
    fn put(&mut self, verb: Verb, claim: Claim) -> Result<(), EvaluationProblem> {
        if verb != Verb::Add && claim.is_read_only {
            return Err(EvaluationProblem::ReadOnly(claim.claim_type));
        }
        match verb {
            Verb::Add => {}
            Verb::Issue => self.issued.push(claim),
            Verb::IssueProperty => self.properties.push(claim),
        }
        Ok(())
    }

    /// A claim for each value.
    fn new_claims(
        &mut self,
        position: Position,
        claim_type: &Expression,
        value: &Expression,
        found: &Found,
    ) -> Result<Vec<Claim>, EvaluationError> {
        let types = evaluate(claim_type, &self.claims, found, &mut self.budget)?;
        let what = "the type of a claim";
        let name = match types.single(what, &mut self.budget) {
            Ok(Value::String(name)) => name,
            Ok(other) => {
                return Err(claim_type.fails(EvaluationProblem::Type {
                    what: what.to_owned(),
                    expected: ValueType::String,
                    found: other.value_type(),
                }));
            }
            Err(problem) => return Err(claim_type.fails(problem)),
        };
        let values = evaluate(value, &self.claims, found, &mut self.budget)?;
        let mut claims = Vec::new();
        for member in values.members {
            // Before it takes any memory.
            self.budget
                .claim(name.len(), member.size())
                .map_err(|problem| EvaluationError { position, problem })?;
            claims.push(Claim {
                claim_type: name.clone(),
                value: member.into_owned(),
                issuer: Issuer::AttestationPolicy,
                is_read_only: types.is_read_only || values.is_read_only,
            });
        }
        Ok(claims)
    }
}
