//! What is hardly meant in a service.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Severity};
use crate::document::{Document, Name, PeerName, SecretKind, Service, Tolerance, Tolerated};
use crate::grant::templates;
use crate::template::{ReferenceKind, Template};

/// Tolerances that end within this time, in seconds, are worth a warning: two weeks.
const SOON: u64 = 14 * 86_400;

impl Findings {
    pub(super) fn service(&mut self, document: &Document, name: &Name, service: &Service) {
        let path = format!("services.{name}");
        if service.enclaves.is_empty() && service.signers.is_empty() {
            let message = "no enclave can be this service: run nacre policy pin, which resolves its image";
            self.add(Severity::Error, "not-pinned", format!("{path}.image"), message);
        }
        for (at, tolerance) in service.tolerate.iter().enumerate() {
            self.tolerance(&format!("{path}.tolerate[{at}]"), tolerance);
        }
        for (at, signer) in service
            .signers
            .iter()
            .enumerate()
            .filter(|(_, signer)| signer.min_svn == 0)
        {
            let message = format!(
                "every version of product {} is accepted, those with known weaknesses, too; raise min_svn with each fix",
                signer.product_id
            );
            self.warn("any-version", format!("{path}.signers[{at}].min_svn"), message);
        }
        if let Some(platforms) = &service.platforms {
            self.nodes(platforms, &format!("{path}.platforms"));
        }
        self.identity(&path, service);
        self.authority_key(document, &path, service);
        self.one_sided(document, name, service);
    }

    fn tolerance(&mut self, path: &str, tolerance: &Tolerance) {
        let what = &tolerance.what;
        match what {
            Tolerated::Debug => {
                self.weak(
                    "debug",
                    path,
                    "the host can read and change the service with a debugger",
                );
            }
            Tolerated::Simulated => {
                self.weak("simulated", path, "simulated platforms protect nothing");
            }
            Tolerated::AnyAdvisory => {
                let message =
                    "every known weakness is tolerated, those of tomorrow, too; name the advisories";
                self.weak("any-advisory", path, message);
            }
            Tolerated::Status(_) | Tolerated::Advisory(_) => {}
        }
        let reason = tolerance.reason.as_deref().unwrap_or_default();
        if reason.trim().is_empty() {
            self.weak(
                "no-reason",
                path,
                format!("why is {what} acceptable? write a reason"),
            );
        }
        match tolerance.until {
            None => {
                let message = format!("{what} is tolerated for ever; write until when");
                self.weak("no-expiry", path, message);
            }
            Some(until) if until.is_past(self.now) => {
                let message =
                    format!("{what} was tolerated until {until}, and is not any more; remove or renew it");
                self.weak("expired", path, message);
            }
            Some(until) if until.0.0.saturating_sub(self.now.0) < SOON => {
                let message = format!("{what} will be tolerated until {until} only");
                self.warn("expires-soon", path, message);
            }
            Some(_) => {}
        }
    }

    /// Services that a host can exchange: it says to the broker which of them its enclave is.
    pub(super) fn same_enclave(&mut self, document: &Document) {
        let mut enclaves = BTreeMap::new();
        let mut products = BTreeMap::new();
        for (name, service) in &document.services {
            for enclave in &service.enclaves {
                if let Some(other) = enclaves.insert(enclave, name).filter(|other| *other != name) {
                    let message = format!(
                        "{enclave} is {other}, too: a host can run it as either, and get what that gets; give them different images \
                         if that matters"
                    );
                    self.warn("same-enclave", format!("services.{name}.enclaves"), message);
                }
            }
            for signer in &service.signers {
                let product = (signer.mrsigner, signer.product_id);
                if let Some(other) = products.insert(product, name).filter(|other| *other != name) {
                    let message = format!(
                        "the same signer's product {} is {other}, too: a host can run it as either, and get what that gets; give \
                         them different products if that matters",
                        signer.product_id
                    );
                    self.warn("same-enclave", format!("services.{name}.signers"), message);
                }
            }
        }
    }

    /// The private key of an authority in a service.
    fn authority_key(&mut self, document: &Document, path: &str, service: &Service) {
        let mut given = BTreeSet::new();
        for reference in templates(service).flat_map(Template::references) {
            let secret = document.secrets.get(reference.name.as_str());
            let is_authority = secret.is_some_and(|secret| secret.value.kind() == SecretKind::X509Ca);
            if is_authority && reference.kind == ReferenceKind::PrivateKey && given.insert(&reference.name) {
                let message = format!(
                    "it gets the private key of the authority {:?}, and can issue any certificate itself",
                    reference.name.as_str()
                );
                self.warn("authority-key-given", path, message);
            }
        }
    }

    /// An identity that the service does not find anywhere.
    fn identity(&mut self, path: &str, service: &Service) {
        let Some(tls) = &service.tls else { return };
        let has = |kind| {
            let mut references = templates(service).flat_map(Template::references);
            references.any(|reference| reference.kind == kind && reference.name == tls.identity)
        };
        if !has(ReferenceKind::PrivateKey) || !has(ReferenceKind::Certificate) {
            let identity = &tls.identity;
            let message = format!(
                "it is not given to the service: write {{{{ certificate \"{identity}\" }}}} and {{{{ private_key \"{identity}\" }}}} \
                 into its files"
            );
            self.warn("identity-not-given", format!("{path}.tls.identity"), message);
        }
    }

    /// A connection that one side names and the other does not.
    fn one_sided(&mut self, document: &Document, name: &Name, service: &Service) {
        let Some(tls) = &service.tls else { return };
        let is_me = |peer: &PeerName| {
            peer.service == *name
                && peer
                    .deployment
                    .as_ref()
                    .is_none_or(|other| *other == document.name)
        };
        for (field, other_field, peers) in [
            ("accept", "connect", &tls.accept),
            ("connect", "accept", &tls.connect),
        ] {
            for (at, peer) in peers.iter().enumerate() {
                let is_here = peer
                    .deployment
                    .as_ref()
                    .is_none_or(|other| *other == document.name);
                let Some(other) = document.services.get(peer.service.as_str()).filter(|_| is_here) else {
                    continue;
                };
                let names = other.tls.as_ref().map(|tls| match field {
                    "accept" => &tls.connect,
                    _ => &tls.accept,
                });
                if !names.is_some_and(|names| names.iter().any(is_me)) {
                    let path = format!("services.{name}.tls.{field}[{at}]");
                    let message = format!("{peer} does not name {name} in its {other_field}");
                    self.warn("one-sided", path, message);
                }
            }
        }
    }
}
