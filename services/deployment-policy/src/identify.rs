//! Which service an enclave is.

use printable_text::printable;

use crate::denial::{Denial, DenialCode, Reason};
use crate::document::{Name, Service};
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::similar::hint;

/// Characters of a service's name that are repeated; no service has a longer one.
const MAX_NAME: usize = 64;

impl Policy {
    /// The service that an enclave is, by its measurement or by its signer; nothing else is looked at yet.
    ///
    /// # Errors
    /// When it is none, when it is another one than it asks to be, or when it is several and has not said which.
    pub fn identify(&self, asked: Option<&str>, evidence: &Evidence) -> Result<&Name, Denial> {
        let services = &self.document().services;
        if let Some(asked) = asked {
            let Some((name, service)) = services.get_key_value(asked) else {
                // The container's own word: whatever it is, it must not fill a log.
                let asked: String = printable(asked).chars().take(MAX_NAME).collect();
                let asked = asked.as_str();
                let known = hint(asked, services.keys().map(Name::as_str));
                let message = format!("there is no service {asked:?}{known}");
                return Err(denial(
                    None,
                    vec![Reason::new(
                        DenialCode::UnknownService,
                        "services",
                        asked,
                        message,
                    )],
                ));
            };
            return match mismatch(name, service, evidence) {
                None => Ok(name),
                Some(reason) => Err(denial(Some(name), vec![reason])),
            };
        }
        let found = services
            .iter()
            .map(|(name, service)| (name, mismatch(name, service, evidence)));
        let (is, is_not): (Vec<_>, Vec<_>) = found.partition(|(_, mismatch)| mismatch.is_none());
        match is.as_slice() {
            [(name, _)] => Ok(name),
            [] => Err(self.is_none(evidence, is_not.into_iter().filter_map(|(_, mismatch)| mismatch))),
            several => {
                let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!(
                    "this enclave is the services {}, and has to say which (nacre run --broker https://HOST:PORT/{}/SERVICE)",
                    names.join(", "),
                    self.name(),
                );
                let reason = Reason::new(
                    DenialCode::AmbiguousService,
                    "services",
                    evidence.mr_enclave,
                    message,
                );
                Err(denial(None, vec![reason]))
            }
        }
    }

    /// It is no service: what would be close is told as well.
    fn is_none(&self, evidence: &Evidence, mismatches: impl Iterator<Item = Reason>) -> Denial {
        let (enclave, signer) = (evidence.mr_enclave, evidence.mr_signer);
        let message = format!(
            "no service of {} is an enclave with MRENCLAVE {enclave}, and none accepts it by its MRSIGNER {signer}, product {} \
             and version {}; nacre authorize adds a build",
            self.name(),
            evidence.isv_prod_id,
            evidence.isv_svn
        );
        let reason = Reason::new(DenialCode::NoService, "services", enclave, message);
        let is_close = |reason: &Reason| reason.code != DenialCode::Enclave;
        denial(
            None,
            std::iter::once(reason)
                .chain(mismatches.filter(is_close))
                .collect(),
        )
    }
}

pub(crate) fn denial(service: Option<&Name>, reasons: Vec<Reason>) -> Denial {
    Denial {
        service: service.cloned(),
        reasons,
    }
}

/// Why an enclave is not this service.
fn mismatch(name: &Name, service: &Service, evidence: &Evidence) -> Option<Reason> {
    if service.enclaves.contains(&evidence.mr_enclave) {
        return None;
    }
    let rule = format!("services.{name}.signers");
    let mut closest: Option<Reason> = None;
    for signer in &service.signers {
        if signer.mrsigner != evidence.mr_signer {
            continue;
        }
        let (found, least) = (evidence.isv_svn, signer.min_svn);
        let reason = if signer.product_id != evidence.isv_prod_id {
            let found = evidence.isv_prod_id;
            let message = format!("its product is {found}, and {} is required", signer.product_id);
            Reason::new(DenialCode::Product, &*rule, found, message)
        } else if least > found {
            let message =
                format!("its security version is {found}, and at least {least} is required; update it");
            Reason::new(DenialCode::SecurityVersion, &*rule, found, message)
        } else {
            return None;
        };
        // The right product in an old version is closer than another product.
        if closest
            .as_ref()
            .is_none_or(|closest| closest.code == DenialCode::Product)
        {
            closest = Some(reason);
        }
    }
    if closest.is_some() {
        return closest;
    }
    if service.enclaves.is_empty() && service.signers.is_empty() {
        let message = "the image of this service was not resolved to an enclave; run nacre policy pin";
        let rule = format!("services.{name}.image");
        return Some(Reason::new(
            DenialCode::Enclave,
            rule,
            evidence.mr_enclave,
            message,
        ));
    }
    let message = format!(
        "its MRENCLAVE {} is none of the {} that are accepted, and its MRSIGNER {} is none of {}; nacre authorize adds a build",
        evidence.mr_enclave,
        service.enclaves.len(),
        evidence.mr_signer,
        service.signers.len()
    );
    let rule = format!("services.{name}.enclaves");
    Some(Reason::new(
        DenialCode::Enclave,
        rule,
        evidence.mr_enclave,
        message,
    ))
}
