//! The policies that are in force, read once and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use broker_store::{StoreError, Table, Transaction};
use deployment_policy::Policy;
use serde::{Deserialize, Serialize};

use crate::records;

/// Which policy is in force for a deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InForce {
    /// Digest.
    pub policy: String,
    /// Place in the deployment's history; the first has 1.
    pub number: u64,
}

/// A policy in the history of its deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HistoryEntry {
    /// Place in the history.
    pub number: u64,
    /// Digest.
    pub digest: String,
    /// Digest of the policy before.
    pub predecessor: Option<String>,
    /// When it came into force, in seconds since 1970.
    pub time: u64,
    /// Who proposed it: SHA-256 of their certificate.
    pub by: String,
    /// Who agreed.
    pub approved_by: Vec<String>,
    /// The policy in its canonical form.
    pub canonical: String,
}

/// Keeps policies that were read, by the version of the record that names them.
#[derive(Default)]
pub(crate) struct Policies(Mutex<HashMap<String, (u64, Arc<Policy>)>>);

impl Policies {
    /// The policy of a deployment, unless there is no such deployment.
    pub fn in_force(
        &self,
        transaction: &mut Transaction<'_>,
        deployment: &str,
    ) -> Result<Option<Arc<Policy>>, StoreError> {
        let version = transaction.committed_version(Table::Deployments, deployment);
        let kept = self.kept().get(deployment).cloned();
        match (version, kept) {
            (Some(version), Some((of, policy))) if of == version => return Ok(Some(policy)),
            _ => {}
        }
        let in_force: Option<InForce> = records::read(transaction, Table::Deployments, deployment)?;
        let Some(in_force) = in_force else {
            self.kept().remove(deployment);
            return Ok(None);
        };
        let entry = history_entry(transaction, deployment, in_force.number)?;
        let entry = entry.ok_or(StoreError::Damaged("the policy that is in force is not there"))?;
        let policy = Policy::parse(&entry.canonical);
        let policy = policy.map_err(|_| {
            StoreError::Damaged("a policy is of another version of the broker; use that version")
        })?;
        let policy = Arc::new(policy);
        // What this change has written is not in force yet.
        if let Some(version) = version {
            self.kept()
                .insert(deployment.to_owned(), (version, Arc::clone(&policy)));
        }
        Ok(Some(policy))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Arc<Policy>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn history_entry(
    transaction: &mut Transaction<'_>,
    deployment: &str,
    number: u64,
) -> Result<Option<HistoryEntry>, StoreError> {
    records::read(transaction, Table::Policies, &history_record(deployment, number))
}

/// Sorts by number.
pub(crate) fn history_record(deployment: &str, number: u64) -> String {
    format!("{deployment}/{number:016}")
}
