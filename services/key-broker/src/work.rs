//! A piece of the broker's work: one transaction, with what every decision needs.

use broker_store::Transaction;
use dcap_quote::UnixTime;

use crate::audit::{Actor, AuditKey, Event, Outcome};
use crate::identity::Identity;
use crate::people::Person;
use crate::policies::Policies;
use crate::problem::{Problem, reference};
use crate::secrets::Keeper;

/// See the module.
pub(crate) struct Work<'w, 't> {
    pub transaction: &'w mut Transaction<'t>,
    pub identity: &'w Identity,
    pub audit: &'w AuditKey,
    pub policies: &'w Policies,
    pub now: UnixTime,
}

/// What a decision is about.
#[derive(Clone, Debug)]
pub(crate) struct About<'a> {
    pub actor: Actor,
    pub action: &'static str,
    pub deployment: Option<&'a str>,
    pub subject: Option<String>,
}

impl<'t> Work<'_, 't> {
    /// Writes a decision to the audit log. It is there if, and only if, the transaction is committed.
    pub fn record(
        &mut self,
        about: &About<'_>,
        outcome: Outcome,
        reason: impl Into<String>,
    ) -> Result<(), Problem> {
        self.write(about, outcome, reason.into(), None)
    }

    /// Writes a refusal to the audit log, and says under which reference it is found.
    pub fn refuse(&mut self, about: &About<'_>, reason: impl Into<String>) -> Result<String, Problem> {
        let reference = reference();
        self.write(about, Outcome::Refused, reason.into(), Some(reference.clone()))?;
        Ok(reference)
    }

    /// Refuses a person. Strangers are not written to the audit log, or they could fill the disk; the log has them.
    pub fn forbid(&mut self, about: &About<'_>, person: &Person, reason: &str) -> Result<Problem, Problem> {
        let principal = person.principal();
        let named = match about.deployment {
            Some(deployment) => self.policies.in_force(self.transaction, deployment)?,
            None => None,
        };
        let is_known = self.identity.is_administrator(&principal)
            || named.is_some_and(|policy| policy.names_of(&principal).next().is_some());
        if is_known {
            let reference = self.refuse(about, reason)?;
            return Ok(Problem::Forbidden { reference });
        }
        let reference = reference();
        let certificate = person.name();
        tracing::warn!(
            action = about.action,
            certificate,
            reference,
            reason,
            "refused a stranger"
        );
        Ok(Problem::Forbidden { reference })
    }

    pub fn keeper(&mut self) -> Keeper<'_, 't> {
        Keeper {
            transaction: self.transaction,
            identity: self.identity,
            policies: self.policies,
            now: self.now,
        }
    }

    fn write(
        &mut self,
        about: &About<'_>,
        outcome: Outcome,
        reason: String,
        reference: Option<String>,
    ) -> Result<(), Problem> {
        let event = Event {
            time: self.now.0,
            actor: about.actor.clone(),
            action: about.action.to_owned(),
            deployment: about.deployment.map(str::to_owned),
            subject: about.subject.clone(),
            outcome,
            reason,
            reference,
        };
        let mut failed = None;
        self.transaction.append(|sequence, previous| {
            let line = self.audit.line(sequence, &previous, &event);
            line.unwrap_or_else(|error| {
                failed = Some(error);
                Vec::new()
            })
        })?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}
