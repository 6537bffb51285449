//! What owners of deployments do beside policies: secrets, image keys, instances, the audit log.

use deployment_policy::document::{ImageKeyId, SecretKind};
use deployment_policy::{Action, Policy};
use serde::Serialize;

use crate::audit::Outcome;
use crate::authority::pem;
use crate::deployments::about;
use crate::instances::{self, Instance};
use crate::people::Person;
use crate::problem::Problem;
use crate::secrets::SecretStatus;
use crate::work::Work;

/// The secrets of a deployment, without their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretList {
    /// Those of the policy.
    pub secrets: Vec<SecretStatus>,
    /// Names of the image keys.
    pub image_keys: Vec<String>,
}

/// Certificates of a deployment's authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthorityCertificates {
    /// Signed by itself, in PEM: to be trusted.
    pub certificate: String,
    /// Signed by the broker's authority, in PEM: for those who trust all that the broker certifies.
    pub signed_by_broker: Option<String>,
}

/// A page of the audit log.
#[derive(Serialize)]
pub(crate) struct AuditPage {
    pub lines: Vec<u8>,
    /// Where to go on, if there is more.
    pub next: Option<u64>,
}

impl Work<'_, '_> {
    pub fn secret_list(
        &mut self,
        person: &Person,
        deployment: &str,
    ) -> Result<Result<SecretList, Problem>, Problem> {
        let policy = match self.policy(person, deployment)? {
            Ok(policy) => policy,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut keeper = self.keeper();
        Ok(Ok(SecretList {
            secrets: keeper.list(&policy)?,
            image_keys: keeper.image_keys(policy.name()),
        }))
    }

    /// Sets an imported value, or forgets the value of any other secret, so that the next one is made when it is needed.
    pub fn set_secret(
        &mut self,
        person: &Person,
        deployment: &str,
        secret: &str,
        value: Option<&[u8]>,
    ) -> Result<Result<(), Problem>, Problem> {
        let action = if value.is_some() {
            "secret.set"
        } else {
            "secret.rotate"
        };
        let about = about(person, action, deployment, Some(secret.to_owned()));
        let policy = match self.updatable(person, &about)? {
            Ok(policy) => policy,
            Err(problem) => return Ok(Err(problem)),
        };
        let Some(wanted) = policy.secret(secret) else {
            return Ok(Err(Problem::NotFound(format!(
                "secret {secret} in the policy of {deployment}"
            ))));
        };
        let kind = wanted.value.kind();
        match (value, kind) {
            (Some(value), SecretKind::Imported) => self.keeper().set(policy.name(), secret, value)?,
            (None, kind) if kind != SecretKind::Imported => self.keeper().forget(policy.name(), secret),
            (Some(_), kind) => {
                let problem = format!(
                    "the secret {secret} is of the kind {}, which the broker makes itself",
                    kind.name()
                );
                return Ok(Err(Problem::Invalid(problem)));
            }
            (None, _) => {
                let problem = format!("the secret {secret} is imported; set another value instead");
                return Ok(Err(Problem::Invalid(problem)));
            }
        }
        self.record(&about, Outcome::Granted, "this certificate may update the policy")?;
        Ok(Ok(()))
    }

    pub fn set_image_key(
        &mut self,
        person: &Person,
        deployment: &str,
        id: ImageKeyId,
        key: &[u8],
    ) -> Result<Result<(), Problem>, Problem> {
        let about = about(person, "image_key.set", deployment, Some(id.to_string()));
        let policy = match self.updatable(person, &about)? {
            Ok(policy) => policy,
            Err(problem) => return Ok(Err(problem)),
        };
        self.keeper().set_image_key(policy.name(), id, key)?;
        self.record(&about, Outcome::Granted, "this certificate may update the policy")?;
        Ok(Ok(()))
    }

    /// Whether somebody may take a copy of the store.
    pub fn may_back_up(&mut self, person: &Person) -> Result<Result<(), Problem>, Problem> {
        let about = crate::work::About {
            actor: person.actor(),
            action: "backup",
            deployment: None,
            subject: None,
        };
        if !self.identity.is_administrator(&person.principal()) {
            return Ok(Err(self.forbid(
                &about,
                person,
                "only administrators make backups",
            )?));
        }
        self.record(&about, Outcome::Granted, "this certificate is an administrator's")?;
        Ok(Ok(()))
    }

    pub fn authority_certificates(
        &mut self,
        person: &Person,
        deployment: &str,
    ) -> Result<Result<AuthorityCertificates, Problem>, Problem> {
        let policy = match self.policy(person, deployment)? {
            Ok(policy) => policy,
            Err(problem) => return Ok(Err(problem)),
        };
        let authority = self
            .keeper()
            .deployment_authority(policy.name(), policy.digest())?;
        let text = |der: &[u8]| pem("CERTIFICATE", der).to_string();
        Ok(Ok(AuthorityCertificates {
            certificate: text(&authority.own.0),
            signed_by_broker: authority.issued.map(|issued| text(&issued.0)),
        }))
    }

    pub fn instances(
        &mut self,
        person: &Person,
        deployment: &str,
    ) -> Result<Result<Vec<Instance>, Problem>, Problem> {
        if let Err(problem) = self.policy(person, deployment)? {
            return Ok(Err(problem));
        }
        Ok(Ok(instances::list(self.transaction, deployment)?))
    }

    /// Names of the deployments that somebody may see.
    pub fn deployments(&mut self, person: &Person) -> Result<Vec<String>, Problem> {
        let names = self.transaction.names(broker_store::Table::Deployments, "");
        let principal = person.principal();
        if self.identity.is_administrator(&principal) {
            return Ok(names);
        }
        let mut visible = Vec::new();
        for name in names {
            let policy = self.policies.in_force(self.transaction, &name)?;
            if policy.is_some_and(|policy| policy.may(Action::Read, &principal)) {
                visible.push(name);
            }
        }
        Ok(visible)
    }

    /// Lines of the audit log from a sequence on, at most 256. With a deployment only
    /// its lines, for those who may see it; without one all of them, for administrators.
    pub fn audit_lines(
        &mut self,
        person: &Person,
        from: u64,
        deployment: Option<&str>,
    ) -> Result<Result<AuditPage, Problem>, Problem> {
        match deployment {
            Some(deployment) => {
                if let Err(problem) = self.policy(person, deployment)? {
                    return Ok(Err(problem));
                }
            }
            None if !self.identity.is_administrator(&person.principal()) => {
                let about = crate::work::About {
                    actor: person.actor(),
                    action: "audit.read",
                    deployment: None,
                    subject: None,
                };
                return Ok(Err(self.forbid(
                    &about,
                    person,
                    "only administrators see the whole audit log",
                )?));
            }
            None => {}
        }
        let entries = self.transaction.journal(from)?;
        let last = entries.last().map_or(0, |entry| entry.sequence);
        let more = (last > 0 && last < self.transaction.journal_size()).then(|| last.saturating_add(1));
        let mut lines = Vec::new();
        for entry in entries {
            if deployment.is_none_or(|deployment| crate::audit::is_about(&entry.bytes, deployment)) {
                lines.extend_from_slice(&entry.bytes);
                lines.push(b'\n');
            }
        }
        Ok(Ok(AuditPage { lines, next: more }))
    }

    /// The policy of a deployment, for somebody who may change what belongs to it.
    fn updatable(
        &mut self,
        person: &Person,
        about: &crate::work::About<'_>,
    ) -> Result<Result<std::sync::Arc<Policy>, Problem>, Problem> {
        let deployment = about.deployment.unwrap_or_default();
        let principal = person.principal();
        let policy = self.policies.in_force(self.transaction, deployment)?;
        let is_administrator = self.identity.is_administrator(&principal);
        match policy {
            Some(policy) if is_administrator || policy.may(Action::Update, &principal) => Ok(Ok(policy)),
            None if is_administrator => Ok(Err(Problem::NotFound(format!("deployment {deployment}")))),
            _ => {
                let reason = "this certificate may not change the secrets";
                Ok(Err(self.forbid(about, person, reason)?))
            }
        }
    }
}
