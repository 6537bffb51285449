//! What a difference within a service means.

use serde_json::Value;

use super::words::{Context, shown};
use super::{Effect, value_of, wanted};
use crate::document::{Expiry, Service};

/// Whose list of machines it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Service,
    Deployment,
}

impl Context<'_> {
    pub(super) fn of_service(&self, service: &str, rest: &[&str]) -> (Effect, String) {
        let coming = self.coming();
        match rest {
            ["enclaves", enclave] => (
                coming,
                format!(
                    "the enclave {enclave} {}",
                    self.verb("may be it", "may no longer be it", "")
                ),
            ),
            ["signers", _] => {
                let field = |name: &str| {
                    self.after
                        .or(self.before)
                        .and_then(|value| value.get(name))
                        .map_or_else(String::new, shown)
                };
                let verb = self.verb("may be it", "may no longer be it", "");
                let words = format!(
                    "enclaves signed by {}, product {}, from version {} on {verb}",
                    field("mrsigner"),
                    field("product_id"),
                    field("min_svn")
                );
                (coming, words)
            }
            ["tolerate", what] => {
                let what = if *what == "*" {
                    "every known weakness"
                } else {
                    what
                };
                let until = match self.after.or(self.before).and_then(|value| value.get("until")) {
                    Some(until) => format!(" until {}", shown(until)),
                    None => " for ever".to_owned(),
                };
                let verb = self.verb("is tolerated", "is no longer tolerated", "is tolerated otherwise");
                (
                    coming,
                    format!(
                        "{what} {verb}{}",
                        if coming == Effect::Grants { &*until } else { "" }
                    ),
                )
            }
            ["tolerate", what, "until"] => (
                self.until(),
                self.transition(&format!("until when {what} is tolerated")),
            ),
            ["tolerate", what, "reason"] => (
                Effect::Changes,
                self.transition(&format!("the reason why {what} is tolerated")),
            ),
            ["platforms", rest @ ..] => self.platforms(Whose::Service, rest),
            ["environment", variable] => (
                Effect::Changes,
                self.transition(&format!("the variable {variable}")),
            ),
            ["files", path] => (
                Effect::Changes,
                format!(
                    "the file {path} {}",
                    self.verb("is made", "is no longer made", "is another")
                ),
            ),
            ["files", path, field @ ..] => (
                Effect::Changes,
                self.transition(&format!("the {} of the file {path}", field.join("."))),
            ),
            ["volumes", path] => (
                coming,
                format!(
                    "a volume {} at {path}: {}",
                    self.verb("is mounted", "is no longer mounted", "is mounted"),
                    self.shown()
                ),
            ),
            ["volumes", path, "read_only"] => {
                let effect = if self.after.is_some() {
                    Effect::Withdraws
                } else {
                    Effect::Grants
                };
                let words = if self.after.is_some() {
                    "can only be read"
                } else {
                    "can be written to"
                };
                (effect, format!("the volume at {path} {words}"))
            }
            ["volumes", path, _] => (Effect::Changes, self.transition(&format!("the volume at {path}"))),
            ["image_keys", key] => (
                coming,
                format!(
                    "{} the image key {key}",
                    self.verb("may be given", "may no longer be given", "")
                ),
            ),
            ["tls", "identity"] => (Effect::Changes, self.transition("its identity in TLS")),
            ["tls", "accept", peer] => (
                coming,
                format!("{peer} {} connect to it", self.verb("may", "may no longer", "")),
            ),
            ["tls", "connect", peer] => (
                coming,
                format!("it {} connect to {peer}", self.verb("may", "may no longer", "")),
            ),
            ["limits", "instances"] => (
                self.bound(),
                self.transition("the number of instances that may run"),
            ),
            ["arguments"] => (Effect::Changes, self.transition("the command line")),
            ["image"] => (
                Effect::Changes,
                self.transition("the image (nothing is decided by it)"),
            ),
            _ => (
                Effect::Changes,
                self.transition(&format!("{} of {service}", rest.join("."))),
            ),
        }
    }

    /// A longer tolerance grants.
    fn until(&self) -> Effect {
        let time = |value: Option<&Value>| {
            value
                .and_then(Value::as_str)
                .and_then(|text| text.parse::<Expiry>().ok())
        };
        match (time(self.before), time(self.after)) {
            (Some(_), None) => Effect::Grants,
            (None, _) => Effect::Withdraws,
            (Some(before), Some(after)) if after > before => Effect::Grants,
            _ => Effect::Withdraws,
        }
    }

    /// A higher bound grants, and none is the highest.
    pub(super) fn bound(&self) -> Effect {
        let bound = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(u64::MAX);
        if bound(self.after) > bound(self.before) {
            Effect::Grants
        } else {
            Effect::Withdraws
        }
    }

    pub(super) fn platforms(&self, whose: Whose, rest: &[&str]) -> (Effect, String) {
        match rest {
            [] if self.after.is_none() => {
                // Of a service: then the deployment's list holds, if it has one.
                match whose == Whose::Service && self.new.document().platforms.is_some() {
                    true => (
                        Effect::Changes,
                        "may run on the deployment's machines, and has none of its own any more".to_owned(),
                    ),
                    false => (Effect::Grants, "may run on any machine".to_owned()),
                }
            }
            [] => (
                Effect::Withdraws,
                format!("may run on these machines only: {}", self.shown()),
            ),
            ["nodes", _] => (
                self.coming(),
                format!(
                    "{} on the machine {}",
                    self.verb("may run", "may no longer run", ""),
                    self.shown()
                ),
            ),
            ["registry"] => {
                let effect = match self.coming() {
                    Effect::Changes => Effect::Grants,
                    effect => effect,
                };
                (
                    effect,
                    self.transition("the registry whose machines are accepted"),
                )
            }
            rest => (
                Effect::Changes,
                self.transition(&format!("{} of the machines", rest.join("."))),
            ),
        }
    }
}

/// Everything secret that a service gets.
pub(super) fn gets(service: &Service) -> Vec<String> {
    let values = wanted(service);
    let values = values
        .into_iter()
        .flat_map(|(secret, kinds)| kinds.into_iter().map(move |kind| value_of(kind, secret)));
    let volumes = service
        .volumes
        .values()
        .map(|mount| format!("the volume {:?}", mount.volume.as_str()));
    let keys = service
        .image_keys
        .iter()
        .map(|key| format!("the image key {key}"));
    values.chain(volumes).chain(keys).collect()
}
