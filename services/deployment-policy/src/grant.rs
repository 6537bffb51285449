//! What an enclave may have.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{ImageKeyId, Name, Service, Tolerated};
use crate::policy::Policy;
use crate::template::{ReferenceKind, Template};

/// An enclave may have what its service gets. Only [`Policy::authorize`] makes one.
#[derive(Clone, Debug)]
pub struct Grant<'p> {
    policy: &'p Policy,
    name: &'p Name,
    service: &'p Service,
    tolerated: Vec<Tolerated>,
    image_key: Option<ImageKeyId>,
}

/// Everything that must be there before a grant can be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs<'p> {
    /// Secrets and imports that templates name, and what they want of each.
    pub secrets: BTreeMap<&'p Name, BTreeSet<ReferenceKind>>,
    /// Volumes whose keys it gets.
    pub volumes: BTreeSet<&'p Name>,
    /// The image key that it asked for.
    pub image_key: Option<ImageKeyId>,
}

impl<'p> Grant<'p> {
    pub(crate) const fn new(
        policy: &'p Policy,
        name: &'p Name,
        service: &'p Service,
        tolerated: Vec<Tolerated>,
        image_key: Option<ImageKeyId>,
    ) -> Self {
        Self {
            policy,
            name,
            service,
            tolerated,
            image_key,
        }
    }

    /// By which policy.
    #[must_use]
    pub const fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// The service's name.
    #[must_use]
    pub const fn service_name(&self) -> &'p Name {
        self.name
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &'p Service {
        self.service
    }

    /// The tolerances without which there would be no grant, for the audit log.
    #[must_use]
    pub fn tolerated(&self) -> &[Tolerated] {
        &self.tolerated
    }

    /// The image key that it asked for, and may have.
    #[must_use]
    pub const fn image_key(&self) -> Option<ImageKeyId> {
        self.image_key
    }

    /// What must be there before it can be resolved, so that the broker can make what is missing.
    #[must_use]
    pub fn needs(&self) -> Needs<'p> {
        let mut secrets: BTreeMap<&Name, BTreeSet<ReferenceKind>> = BTreeMap::new();
        for template in templates(self.service) {
            for reference in template.references() {
                secrets.entry(&reference.name).or_default().insert(reference.kind);
            }
        }
        Needs {
            secrets,
            volumes: self.service.volumes.values().map(|mount| &mount.volume).collect(),
            image_key: self.image_key,
        }
    }
}

/// Every template of a service.
pub(crate) fn templates(service: &Service) -> impl Iterator<Item = &Template> {
    let arguments = service.arguments.iter().flatten();
    let files = service.files.values().filter_map(|file| file.content.as_ref());
    arguments.chain(service.environment.values()).chain(files)
}
