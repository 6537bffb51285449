//! Provisioning: an enclave proves what it is, and gets what its service gets.

use std::sync::Arc;

use broker_store::Table;
use deployment_policy::{DenialCode, Evidence, Policy, Registered, ResolveProblem};
use provisioning::{Code, Provision, Refusal, Renewal, Request};

use crate::audit::{Actor, Outcome};
use crate::instances::{Instance, count_others, lease};
use crate::problem::Problem;
use crate::records;
use crate::work::{About, Work};

/// What an enclave is told that gets nothing: the reason is for the owner.
const REFUSED: &str = "the owner of the deployment finds the reason in the audit log";
const LATER: &str =
    "not everything can be given yet; the owner of the deployment finds the reason in the audit log";

impl Work<'_, '_> {
    /// Gives an enclave what its service gets, or says why not. Whatever happens is in the audit log.
    pub fn provision(
        &mut self,
        evidence: &Evidence,
        request: &Request,
    ) -> Result<Result<Provision, Refusal>, Problem> {
        let deployment = match self.find(evidence, request)? {
            Ok(found) => found,
            Err(reason) => {
                let about = about(evidence, request.deployment.as_deref(), request.service.clone());
                return self.deny(&about, Code::Refused, reason).map(Err);
            }
        };
        let name = deployment.name().as_str();
        let instance = request.instance.to_string();
        let mut evidence = evidence.clone();
        evidence.image_key = None;
        if let Some(key) = &request.image_key {
            evidence.image_key = key.to_string().parse().ok();
        }
        let asked = request.service.as_deref();
        let service = deployment.identify(asked, &evidence).map(ToString::to_string);
        let about = about(
            &evidence,
            Some(name),
            service.clone().ok().or_else(|| request.service.clone()),
        );
        let service = match service {
            Ok(service) => service,
            Err(denial) => return self.deny(&about, Code::Refused, denial.to_string()).map(Err),
        };
        let is_bounded = deployment
            .service(&service)
            .is_some_and(|(_, service)| service.limits.instances.is_some());
        if is_bounded {
            evidence.instances = count_others(self.transaction, name, &service, &instance, self.now)?;
        }
        if deployment.registry(&service, &evidence).is_some() {
            // Nobody asks registries yet, so none has given an answer.
            evidence.registered = Registered::Unavailable;
        }
        let grant = match deployment.authorize(Some(&service), &evidence, self.now) {
            Ok(grant) => grant,
            Err(denial) => {
                let code = match denial.code() {
                    DenialCode::RegistryUnavailable => Code::Unavailable,
                    _ => Code::Refused,
                };
                return self.deny(&about, code, denial.to_string()).map(Err);
            }
        };
        let gathered = match self.keeper().gather(&grant, &instance) {
            Ok(gathered) => gathered,
            Err(crate::secrets::SecretError::Store(error)) => return Err(error.into()),
            Err(error) => return self.deny(&about, Code::Unavailable, error.to_string()).map(Err),
        };
        let mut provision = match grant.resolve(&gathered) {
            Ok(provision) => provision,
            Err(error) => {
                let code = match error.problem {
                    ResolveProblem::NoValue(_) | ResolveProblem::NoImageKey(_) => Code::Unavailable,
                    _ => Code::Refused,
                };
                return self.deny(&about, code, error.to_string()).map(Err);
            }
        };
        let renewal = provision.renewal;
        let (after, gone_after) = lease(renewal.map(|renewal| renewal.after), is_bounded);
        let signal = renewal.and_then(|renewal| renewal.signal);
        provision.renewal = Some(Renewal { after, signal });
        let tolerated: Vec<_> = grant.tolerated().iter().map(ToString::to_string).collect();
        let reason = match tolerated.as_slice() {
            [] => format!("it is the service {service} of policy {}", deployment.digest()),
            some => format!(
                "it is the service {service} of policy {}, which tolerates {}",
                deployment.digest(),
                some.join(", ")
            ),
        };
        let record = Instance::record(name, &service, &instance);
        let before: Option<Instance> = records::read(self.transaction, Table::Instances, &record)?;
        let mut known = Instance {
            deployment: name.to_owned(),
            service,
            instance,
            first: before.map_or(self.now.0, |before| before.first),
            last: self.now.0,
            until: self.now.0.saturating_add(gone_after),
            policy: deployment.digest().to_string(),
            mr_enclave: String::new(),
            mr_signer: String::new(),
            security_version: 0,
            tcb_status: String::new(),
            ppid: None,
            simulated: false,
            tolerated,
        };
        known.describe(&evidence);
        records::write(self.transaction, Table::Instances, &record, &known)?;
        self.record(&about, Outcome::Granted, reason)?;
        Ok(Ok(provision))
    }

    /// The deployment that an enclave belongs to: the one that it names, or the only one that it can be of.
    fn find(
        &mut self,
        evidence: &Evidence,
        request: &Request,
    ) -> Result<Result<Arc<Policy>, String>, Problem> {
        if let Some(deployment) = &request.deployment {
            let policy = self.policies.in_force(self.transaction, deployment)?;
            return Ok(policy.ok_or_else(|| format!("there is no deployment {deployment:?}")));
        }
        let mut found: Vec<Arc<Policy>> = Vec::new();
        for deployment in self.transaction.names(Table::Deployments, "") {
            let policy = self.policies.in_force(self.transaction, &deployment)?;
            found.extend(
                policy.filter(|policy| policy.identify(request.service.as_deref(), evidence).is_ok()),
            );
        }
        let names = |found: &[Arc<Policy>]| {
            let names: Vec<_> = found.iter().map(|policy| policy.name().to_string()).collect();
            names.join(", ")
        };
        Ok(match found.as_slice() {
            [policy] => Ok(Arc::clone(policy)),
            [] => Err(format!(
                "no deployment has a service for the enclave with MRENCLAVE {}",
                evidence.mr_enclave
            )),
            several => Err(format!(
                "this enclave is a service of the deployments {}, and has to say of which",
                names(several)
            )),
        })
    }

    fn deny(&mut self, about: &About<'_>, code: Code, reason: String) -> Result<Refusal, Problem> {
        let reference = self.refuse(about, reason)?;
        let message = match code {
            Code::Unavailable => LATER,
            _ => REFUSED,
        };
        Ok(Refusal {
            code,
            message: message.to_owned(),
            reference,
        })
    }
}

fn about<'a>(evidence: &Evidence, deployment: Option<&'a str>, service: Option<String>) -> About<'a> {
    About {
        actor: Actor::Enclave {
            mrenclave: evidence.mr_enclave.to_string(),
            mrsigner: evidence.mr_signer.to_string(),
            ppid: evidence.ppid.map(|ppid| ppid.to_string()),
        },
        action: "provision",
        deployment,
        subject: service,
    }
}
