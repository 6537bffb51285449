//! What is hardly meant in a deployment as a whole.

use std::collections::BTreeSet;

use super::Findings;
use crate::document::{Document, Platforms};
use crate::grant::templates;

impl Findings {
    pub(super) fn platforms(&mut self, document: &Document) {
        match &document.platforms {
            Some(platforms) => self.nodes(platforms, "platforms"),
            None => {
                let any: Vec<_> = document
                    .services
                    .iter()
                    .filter(|(_, service)| service.platforms.is_none())
                    .map(|(name, _)| name.as_str())
                    .collect();
                if !any.is_empty() {
                    let message = format!(
                        "{} may run on anybody's machine: whoever has a machine in hand can read out its keys (WireTap, TEE.fail); \
                         name nodes or a registry",
                        any.join(", ")
                    );
                    self.warn("any-platform", "platforms", message);
                }
            }
        }
    }

    pub(super) fn nodes(&mut self, platforms: &Platforms, path: &str) {
        let mut seen = BTreeSet::new();
        for (at, node) in platforms.nodes.iter().enumerate() {
            if !seen.insert((node.ppid, node.platform_instance_id)) {
                self.warn(
                    "twice",
                    format!("{path}.nodes[{at}]"),
                    "this machine is there twice",
                );
            }
        }
    }

    /// What nothing refers to.
    pub(super) fn unused(&mut self, document: &Document) {
        let mut used = BTreeSet::new();
        for service in document.services.values() {
            used.extend(
                templates(service)
                    .flat_map(|template| template.references())
                    .map(|reference| &reference.name),
            );
            used.extend(service.tls.iter().map(|tls| &tls.identity));
        }
        used.extend(document.exports.keys());
        used.extend(
            document
                .secrets
                .values()
                .filter_map(|secret| secret.value.issuer()),
        );
        for name in document.secrets.keys().filter(|name| !used.contains(name)) {
            self.warn("unused", format!("secrets.{name}"), "no service gets it");
        }
        for name in document.imports.keys().filter(|name| !used.contains(name)) {
            self.warn("unused", format!("imports.{name}"), "no service gets it");
        }
        let mounts = document
            .services
            .values()
            .flat_map(|service| service.volumes.values());
        let mounted: BTreeSet<_> = mounts.map(|mount| &mount.volume).collect();
        for name in document.volumes.keys().filter(|name| !mounted.contains(name)) {
            self.warn("unused", format!("volumes.{name}"), "no service mounts it");
        }
    }

    pub(super) fn access(&mut self, document: &Document) {
        let access = &document.access;
        if access.update.is_empty() {
            let message = "nobody is named who may change this policy; only the broker's administrators can";
            self.warn("no-updater", "access.update", message);
        }
        let approvers = access
            .approve
            .as_ref()
            .map_or([].as_slice(), |approve| approve.by.as_slice());
        for name in access.people.keys() {
            if ![&access.read, &access.update]
                .iter()
                .any(|names| names.contains(name))
                && !approvers.contains(name)
            {
                self.warn(
                    "unused",
                    format!("access.people.{name}"),
                    "this person may do nothing",
                );
            }
        }
        if let Some(approve) = &access.approve
            && approve.required == 1
            && approve.by.iter().all(|name| access.update.contains(name))
        {
            let message = "whoever proposes a policy can approve it alone; require 2";
            self.warn("self-approval", "access.approve.required", message);
        }
    }
}
