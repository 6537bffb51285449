//! Deployments: their policies are proposed, approved, and come into force.

use std::sync::Arc;

use broker_store::Table;
use deployment_policy::document::SecretValue;
use deployment_policy::{Action, Policy, PolicyDigest};
use serde::{Deserialize, Serialize};

use crate::audit::Outcome;
use crate::authority::RESERVED_DOMAIN;
use crate::people::Person;
use crate::policies::{HistoryEntry, InForce, history_entry, history_record};
use crate::problem::Problem;
use crate::records;
use crate::work::{About, Work};

/// A policy that waits for approvals, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    canonical: String,
    by: Person,
    time: u64,
    agreed: Vec<Person>,
}

/// What became of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyState {
    /// It is in force.
    InForce,
    /// It waits for approvals.
    Pending,
}

/// The answer to somebody who proposes or approves a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Digest of the policy.
    pub digest: String,
    /// What became of it.
    pub state: PolicyState,
    /// Names of those who have agreed.
    pub approved_by: Vec<String>,
    /// How many must.
    pub required: u32,
}

/// A policy that waits, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingPolicy {
    /// What became of it so far.
    #[serde(flatten)]
    pub applied: Applied,
    /// Digest of the policy that it would replace.
    pub predecessor: Option<String>,
    /// Who proposed it: SHA-256 of their certificate.
    pub proposed_by: String,
    /// When, in seconds since 1970.
    pub time: u64,
    /// It.
    pub policy: serde_json::Value,
}

/// A policy in a deployment's history, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryItem {
    /// Its place; the first has 1.
    pub number: u64,
    /// Its digest.
    pub digest: String,
    /// Digest of the one before.
    pub predecessor: Option<String>,
    /// When it came into force, in seconds since 1970.
    pub time: u64,
    /// Who proposed it: SHA-256 of their certificate.
    pub proposed_by: String,
    /// Who agreed: SHA-256 of their certificates.
    pub approved_by: Vec<String>,
}

impl Work<'_, '_> {
    /// Proposes a policy: it comes into force, or waits for approvals.
    pub fn apply(&mut self, person: &Person, policy: &Policy) -> Result<Result<Applied, Problem>, Problem> {
        let deployment = policy.name().as_str();
        let digest = policy.digest().to_string();
        let about = about(person, "policy.apply", deployment, Some(digest.clone()));
        let current = self.policies.in_force(self.transaction, deployment)?;
        let principal = person.principal();
        let may = self.identity.is_administrator(&principal)
            || current
                .as_ref()
                .is_some_and(|current| current.may(Action::Update, &principal));
        if !may {
            return Ok(Err(self.forbid(
                &about,
                person,
                "this certificate may not update the policy",
            )?));
        }
        if let Some(name) = reserved_name(policy) {
            let problem =
                format!("the name {name} is in {RESERVED_DOMAIN}, which is for brokers; use another one");
            return Ok(Err(Problem::Invalid(problem)));
        }
        if current
            .as_ref()
            .is_some_and(|current| current.digest() == policy.digest())
        {
            return Ok(Ok(in_force(digest, Vec::new(), 0)));
        }
        let given = policy.document().predecessor;
        let expected = current.as_ref().map(|current| current.digest());
        if given != expected {
            let name =
                |digest: Option<PolicyDigest>| digest.map_or("none".to_owned(), |digest| digest.to_string());
            let problem = Problem::Conflict {
                given: name(given),
                in_force: name(expected),
            };
            self.record(&about, Outcome::Refused, problem.to_string())?;
            return Ok(Err(problem));
        }
        let approval = current.as_ref().map(|current| current.approval(&[]));
        match approval.filter(|approval| !approval.is_complete) {
            Some(approval) => {
                let pending = Pending {
                    canonical: policy.canonical().to_owned(),
                    by: *person,
                    time: self.now.0,
                    agreed: Vec::new(),
                };
                let record = pending_record(deployment, &digest);
                records::write(self.transaction, Table::Approvals, &record, &pending)?;
                let reason = format!("{} approvals are needed", approval.required);
                self.record(&about, Outcome::Pending, reason)?;
                Ok(Ok(Applied {
                    digest,
                    state: PolicyState::Pending,
                    approved_by: Vec::new(),
                    required: approval.required,
                }))
            }
            None => {
                self.put_in_force(policy, person, &[])?;
                self.record(&about, Outcome::Granted, "this certificate may update the policy")?;
                Ok(Ok(in_force(digest, Vec::new(), 0)))
            }
        }
    }

    /// Agrees to a policy that waits.
    pub fn approve(
        &mut self,
        person: &Person,
        deployment: &str,
        digest: PolicyDigest,
    ) -> Result<Result<Applied, Problem>, Problem> {
        let digest = digest.to_string();
        let about = about(person, "policy.approve", deployment, Some(digest.clone()));
        let current = self.policies.in_force(self.transaction, deployment)?;
        let principal = person.principal();
        let current = current.filter(|current| current.may(Action::Approve, &principal));
        let Some(current) = current else {
            return Ok(Err(self.forbid(
                &about,
                person,
                "this certificate may not approve policies",
            )?));
        };
        let record = pending_record(deployment, &digest);
        let pending: Option<Pending> = records::read(self.transaction, Table::Approvals, &record)?;
        let Some(mut pending) = pending else {
            let what =
                format!("policy {digest} that waits for approvals; another one may have come into force");
            return Ok(Err(Problem::NotFound(what)));
        };
        if !pending.agreed.contains(person) {
            pending.agreed.push(*person);
        }
        let agreed: Vec<_> = pending.agreed.iter().map(Person::principal).collect();
        let approval = current.approval(&agreed);
        let names = approval.by.iter().map(ToString::to_string).collect();
        let reason = format!("{} of {} approvals", approval.by.len(), approval.required);
        if !approval.is_complete {
            records::write(self.transaction, Table::Approvals, &record, &pending)?;
            self.record(&about, Outcome::Pending, reason)?;
            return Ok(Ok(Applied {
                digest,
                state: PolicyState::Pending,
                approved_by: names,
                required: approval.required,
            }));
        }
        let policy = Policy::parse(&pending.canonical);
        let policy = policy.map_err(|error| Problem::Invalid(format!("the policy that waits: {error}")))?;
        self.put_in_force(&policy, &pending.by, &pending.agreed)?;
        self.record(&about, Outcome::Granted, reason)?;
        Ok(Ok(in_force(digest, names, approval.required)))
    }

    /// The policy in force, for somebody who may see it.
    pub fn policy(
        &mut self,
        person: &Person,
        deployment: &str,
    ) -> Result<Result<Arc<Policy>, Problem>, Problem> {
        let about = about(person, "policy.read", deployment, None);
        let policy = self.policies.in_force(self.transaction, deployment)?;
        let principal = person.principal();
        if self.identity.is_administrator(&principal) {
            let missing = || Problem::NotFound(format!("deployment {deployment}"));
            return Ok(policy.ok_or_else(missing));
        }
        match policy.filter(|policy| policy.may(Action::Read, &principal)) {
            Some(policy) => Ok(Ok(policy)),
            None => Ok(Err(self.forbid(
                &about,
                person,
                "this certificate may not read the policy",
            )?)),
        }
    }

    /// The history of a deployment, for somebody who may see it.
    pub fn history(
        &mut self,
        person: &Person,
        deployment: &str,
    ) -> Result<Result<Vec<HistoryItem>, Problem>, Problem> {
        if let Err(problem) = self.policy(person, deployment)? {
            return Ok(Err(problem));
        }
        let mut items = Vec::new();
        while let Some(entry) = history_entry(self.transaction, deployment, next(items.len()))? {
            items.push(HistoryItem {
                number: entry.number,
                digest: entry.digest,
                predecessor: entry.predecessor,
                time: entry.time,
                proposed_by: entry.by,
                approved_by: entry.approved_by,
            });
        }
        Ok(Ok(items))
    }

    /// Policies of a deployment that wait for approvals, for somebody who may see them.
    pub fn pending(
        &mut self,
        person: &Person,
        deployment: &str,
    ) -> Result<Result<Vec<PendingPolicy>, Problem>, Problem> {
        let current = match self.policy(person, deployment)? {
            Ok(current) => current,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut all = Vec::new();
        for record in self
            .transaction
            .names(Table::Approvals, &format!("{deployment}/"))
        {
            let pending: Option<Pending> = records::read(self.transaction, Table::Approvals, &record)?;
            let Some(pending) = pending else { continue };
            let agreed: Vec<_> = pending.agreed.iter().map(Person::principal).collect();
            let approval = current.approval(&agreed);
            let digest = record.rsplit('/').next().unwrap_or_default().to_owned();
            all.push(PendingPolicy {
                applied: Applied {
                    digest,
                    state: PolicyState::Pending,
                    approved_by: approval.by.iter().map(ToString::to_string).collect(),
                    required: approval.required,
                },
                predecessor: Some(current.digest().to_string()),
                proposed_by: pending.by.name(),
                time: pending.time,
                policy: serde_json::from_str(&pending.canonical).unwrap_or_default(),
            });
        }
        Ok(Ok(all))
    }

    fn put_in_force(&mut self, policy: &Policy, by: &Person, agreed: &[Person]) -> Result<(), Problem> {
        let deployment = policy.name().as_str();
        let before: Option<InForce> = records::read(self.transaction, Table::Deployments, deployment)?;
        let number = before
            .as_ref()
            .map_or(1, |before| before.number.saturating_add(1));
        let entry = HistoryEntry {
            number,
            digest: policy.digest().to_string(),
            predecessor: before.map(|before| before.policy),
            time: self.now.0,
            by: by.name(),
            approved_by: agreed.iter().map(Person::name).collect(),
            canonical: policy.canonical().to_owned(),
        };
        let in_force = InForce {
            policy: entry.digest.clone(),
            number,
        };
        let record = history_record(deployment, number);
        records::write(self.transaction, Table::Policies, &record, &entry)?;
        records::write(self.transaction, Table::Deployments, deployment, &in_force)?;
        // What waits would follow the policy before this.
        for record in self
            .transaction
            .names(Table::Approvals, &format!("{deployment}/"))
        {
            self.transaction.delete(Table::Approvals, &record);
        }
        Ok(())
    }
}

/// A name of a host in a policy's certificates that only brokers may have.
fn reserved_name(policy: &Policy) -> Option<&str> {
    let secrets = policy.document().secrets.iter();
    let names = secrets.flat_map(|(_, secret)| match &secret.value {
        SecretValue::X509 { subject, .. } => subject.dns.as_slice(),
        _ => &[],
    });
    let is_reserved = |name: &&String| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("*.").unwrap_or(&name);
        name == RESERVED_DOMAIN
            || name.ends_with(&format!(".{RESERVED_DOMAIN}"))
            // *.internal
            || RESERVED_DOMAIN.split_once('.').is_some_and(|(_, above)| name == above)
    };
    names.filter(is_reserved).map(String::as_str).next()
}

pub(crate) fn about<'a>(
    person: &Person,
    action: &'static str,
    deployment: &'a str,
    subject: Option<String>,
) -> About<'a> {
    About {
        actor: person.actor(),
        action,
        deployment: Some(deployment),
        subject,
    }
}

const fn in_force(digest: String, approved_by: Vec<String>, required: u32) -> Applied {
    Applied {
        digest,
        state: PolicyState::InForce,
        approved_by,
        required,
    }
}

fn next(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX).saturating_add(1)
}

fn pending_record(deployment: &str, digest: &str) -> String {
    format!("{deployment}/{digest}")
}
