//! Instances of services: the enclaves that were given something, and have not been silent since.

use std::collections::{BTreeMap, BTreeSet};

use broker_store::{StoreError, Table, Transaction};
use dcap_quote::UnixTime;
use deployment_policy::Evidence;
use serde::{Deserialize, Serialize};

use crate::records;

/// Seconds after which an instance asks again at the latest.
const CHECK_IN: u64 = 600;
/// The same where the number of instances is bounded: so long the place of one that has died stays taken, twice.
const CHECK_IN_IF_BOUNDED: u64 = 60;
/// Seconds after which it asks again at the earliest, whatever is due.
const SOONEST: u64 = 5;
/// Seconds after its end for which an instance is still listed.
const KEPT: u64 = 60 * 60;

/// An instance, as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The deployment.
    pub deployment: String,
    /// Its service.
    pub service: String,
    /// 16 bytes in hexadecimal that it has drawn.
    pub instance: String,
    /// When it was first given something, in seconds since 1970.
    pub first: u64,
    /// When it asked last.
    pub last: u64,
    /// Until then it has to ask again.
    pub until: u64,
    /// Digest of the policy by which it was given something last.
    pub policy: String,
    /// What it has proven.
    pub mr_enclave: String,
    /// Whose it is.
    pub mr_signer: String,
    /// Its security version.
    pub security_version: u16,
    /// TCB status of its platform.
    pub tcb_status: String,
    /// PPID of its platform.
    pub ppid: Option<String>,
    /// Whether its platform is a simulated one.
    pub simulated: bool,
    /// What was tolerated.
    pub tolerated: Vec<String>,
}

impl Instance {
    pub fn record(deployment: &str, service: &str, instance: &str) -> String {
        format!("{deployment}/{service}/{instance}")
    }

    pub fn describe(&mut self, evidence: &Evidence) {
        self.mr_enclave = evidence.mr_enclave.to_string();
        self.mr_signer = evidence.mr_signer.to_string();
        self.security_version = evidence.isv_svn;
        self.tcb_status = evidence.status.name().to_owned();
        self.ppid = evidence.ppid.map(|ppid| ppid.to_string());
        self.simulated = evidence.simulated;
    }
}

/// After how many seconds an instance has to ask again, and after how many it counts as gone.
pub(crate) fn lease(renew_after: Option<u64>, is_bounded: bool) -> (u64, u64) {
    let most = if is_bounded { CHECK_IN_IF_BOUNDED } else { CHECK_IN };
    let after = renew_after.map_or(most, |after| after.clamp(SOONEST, most));
    (after, after.saturating_mul(2).saturating_add(CHECK_IN_IF_BOUNDED))
}

/// How many other instances of a service run.
pub(crate) fn count_others(
    transaction: &mut Transaction<'_>,
    deployment: &str,
    service: &str,
    instance: &str,
    now: UnixTime,
) -> Result<u32, StoreError> {
    let own = Instance::record(deployment, service, instance);
    let mut count = 0_u32;
    for record in transaction.names(Table::Instances, &format!("{deployment}/{service}/")) {
        if record == own {
            continue;
        }
        let other: Option<Instance> = records::read(transaction, Table::Instances, &record)?;
        count = count.saturating_add(other.is_some_and(|other| other.until >= now.0).into());
    }
    Ok(count)
}

/// All instances of a deployment.
pub(crate) fn list(transaction: &mut Transaction<'_>, deployment: &str) -> Result<Vec<Instance>, StoreError> {
    let mut all = Vec::new();
    for record in transaction.names(Table::Instances, &format!("{deployment}/")) {
        all.extend(records::read::<Instance>(transaction, Table::Instances, &record)?);
    }
    Ok(all)
}

/// Forgets instances that are gone, with the secrets that were theirs alone. Looks at no more than `most` from `after` on;
/// gives where to go on, or nothing at the end.
pub(crate) fn forget(
    transaction: &mut Transaction<'_>,
    after: &str,
    most: usize,
    now: UnixTime,
) -> Result<Option<String>, StoreError> {
    let names = transaction.names(Table::Instances, "");
    let mut rest = names.into_iter().filter(|name| name.as_str() > after);
    let page: Vec<_> = rest.by_ref().take(most).collect();
    let mut gone: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in &page {
        let instance: Option<Instance> = records::read(transaction, Table::Instances, record)?;
        if let Some(instance) = instance.filter(|instance| instance.until.saturating_add(KEPT) < now.0) {
            transaction.delete(Table::Instances, record);
            gone.entry(instance.deployment)
                .or_default()
                .insert(instance.instance);
        }
    }
    for (deployment, instances) in gone {
        for secret in transaction.names(Table::Secrets, &format!("{deployment}/secret/")) {
            // DEPLOYMENT/secret/NAME/INSTANCE
            let mut parts = secret.split('/').skip(3);
            if parts.next().is_some_and(|instance| instances.contains(instance)) {
                transaction.delete(Table::Secrets, &secret);
            }
        }
    }
    Ok(page.last().cloned().filter(|_| rest.next().is_some()))
}
