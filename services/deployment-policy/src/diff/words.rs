//! What a difference means.

use serde_json::Value;

use super::{Change, Difference, Effect, value_of, wanted};
use crate::document::{Expiry, Service};
use crate::grant::templates;
use crate::policy::Policy;
use crate::template::Template;

/// Characters of a value that are shown.
const SHOWN: usize = 120;

/// A difference, explained.
pub(super) fn change(difference: Difference, old: &Policy, new: &Policy) -> Change {
    let Difference { path, before, after } = difference;
    let parts: Vec<_> = path.iter().map(String::as_str).collect();
    let context = Context {
        before: before.as_ref(),
        after: after.as_ref(),
        old,
        new,
    };
    let (who, effect, words) = match parts.as_slice() {
        ["services", service] => context.service(service),
        ["services", service, rest @ ..] => {
            let (effect, words) = context.of_service(service, rest);
            (vec![format!("service {service}")], effect, words)
        }
        ["secrets" | "imports", name, rest @ ..] => context.secret(&parts, name, rest),
        ["volumes", volume, rest @ ..] => context.volume(volume, rest),
        ["platforms", rest @ ..] => {
            let (effect, words) = context.platforms(Whose::Deployment, rest);
            (
                vec!["all services that name none themselves".to_owned()],
                effect,
                words,
            )
        }
        ["access", rest @ ..] => context.access(rest),
        ["exports", secret, rest @ ..] => context.export(secret, rest),
        _ => context.otherwise(vec!["everybody".to_owned()], &parts),
    };
    // Elements of lists have no names of their own.
    let path = match parts
        .iter()
        .position(|part| super::SETS.contains(part) && part != &"tolerate")
    {
        Some(set) => parts.get(..=set).unwrap_or(&parts).join("."),
        None => parts.join("."),
    };
    Change {
        path,
        who,
        effect,
        words,
        before,
        after,
    }
}

/// Whose list of machines it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Service,
    Deployment,
}

type Explained = (Vec<String>, Effect, String);

struct Context<'a> {
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    old: &'a Policy,
    new: &'a Policy,
}

impl Context<'_> {
    /// Something that is a grant when it comes.
    const fn coming(&self) -> Effect {
        match (self.before.is_some(), self.after.is_some()) {
            (false, true) => Effect::Grants,
            (true, false) => Effect::Withdraws,
            _ => Effect::Changes,
        }
    }

    /// The value that there is, or was.
    fn shown(&self) -> String {
        self.after.or(self.before).map_or_else(String::new, shown)
    }

    /// `is a`, `is no longer a`.
    fn verb(&self, comes: &str, goes: &str, changes: &str) -> String {
        match self.coming() {
            Effect::Grants => comes,
            Effect::Withdraws => goes,
            Effect::Changes => changes,
        }
        .to_owned()
    }

    /// `from 2 to 3`, `is set to 3`.
    fn transition(&self, what: &str) -> String {
        match (self.before, self.after) {
            (Some(before), Some(after)) => {
                format!("{what} changes from {} to {}", shown(before), shown(after))
            }
            (None, Some(after)) => format!("{what} is now {}", shown(after)),
            (Some(before), None) => format!("{what} is no longer {}", shown(before)),
            (None, None) => what.to_owned(),
        }
    }

    fn otherwise(&self, who: Vec<String>, parts: &[&str]) -> Explained {
        (who, Effect::Changes, self.transition(&parts.join(".")))
    }

    /// A service that comes or goes.
    fn service(&self, name: &str) -> Explained {
        let who = vec![format!("service {name}")];
        let effect = self.coming();
        let policy = if effect == Effect::Grants {
            self.new
        } else {
            self.old
        };
        let gets = policy
            .service(name)
            .map(|(_, service)| gets(service))
            .unwrap_or_default();
        let gets = if gets.is_empty() {
            "no secret".to_owned()
        } else {
            gets.join(", ")
        };
        let words = match effect {
            Effect::Grants => format!("is new, and gets {gets}"),
            _ => format!("is removed, and no longer gets {gets}"),
        };
        (who, effect, words)
    }

    fn of_service(&self, service: &str, rest: &[&str]) -> (Effect, String) {
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
    fn bound(&self) -> Effect {
        let bound = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(u64::MAX);
        if bound(self.after) > bound(self.before) {
            Effect::Grants
        } else {
            Effect::Withdraws
        }
    }

    fn platforms(&self, whose: Whose, rest: &[&str]) -> (Effect, String) {
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

    /// A secret or an import, and who gets it.
    fn secret(&self, parts: &[&str], name: &str, rest: &[&str]) -> Explained {
        let policy = if self.after.is_some() || !rest.is_empty() {
            self.new
        } else {
            self.old
        };
        let uses = |service: &Service| {
            let mut references = templates(service).flat_map(Template::references);
            references.any(|reference| reference.name.as_str() == name)
        };
        let services = policy
            .document()
            .services
            .iter()
            .filter(|(_, service)| uses(service));
        let mut who: Vec<_> = services
            .map(|(service, _)| format!("service {service}"))
            .collect();
        if who.is_empty() {
            who.push("no service yet".to_owned());
        }
        let what = if parts.first() == Some(&"imports") {
            "import"
        } else {
            "secret"
        };
        let words = match rest {
            [] => format!(
                "the {what} {name:?} {}",
                self.verb("is new", "is removed", "is another")
            ),
            ["dns" | "ip", host] => format!(
                "the certificate {name:?} {} for {host}",
                self.verb("is valid", "is no longer valid", "")
            ),
            ["uses", one] => format!(
                "the certificate {name:?} {} of a {one}",
                self.verb("is one", "is no longer one", "")
            ),
            rest => self.transition(&format!("the {} of the {what} {name:?}", rest.join("."))),
        };
        (who, Effect::Changes, words)
    }

    fn volume(&self, volume: &str, rest: &[&str]) -> Explained {
        let mounts = |service: &Service| {
            service
                .volumes
                .values()
                .any(|mount| mount.volume.as_str() == volume)
        };
        let policy = if self.after.is_some() { self.new } else { self.old };
        let services = policy
            .document()
            .services
            .iter()
            .filter(|(_, service)| mounts(service));
        let mut who: Vec<_> = services
            .map(|(service, _)| format!("service {service}"))
            .collect();
        if who.is_empty() {
            who.push("no service yet".to_owned());
        }
        let words = match rest {
            [] => format!(
                "the volume {volume:?} {}",
                self.verb("is new", "is removed, and its key with it", "is another")
            ),
            rest => self.transition(&format!("the {} of the volume {volume:?}", rest.join("."))),
        };
        (who, Effect::Changes, words)
    }

    fn access(&self, rest: &[&str]) -> Explained {
        let coming = self.coming();
        match rest {
            ["people", person] => {
                let words = self.verb(
                    "is known by the certificate or key",
                    "is no longer known",
                    "is known otherwise",
                );
                (vec![format!("person {person}")], coming, words)
            }
            ["people", person, field] => (
                vec![format!("person {person}")],
                Effect::Changes,
                self.transition(&format!("the {field}")),
            ),
            ["read", person] => (
                vec![format!("person {person}")],
                coming,
                self.verb("may read the policy", "is not named for reading any more", ""),
            ),
            ["update", person] => (
                vec![format!("person {person}")],
                coming,
                self.verb(
                    "may propose another policy",
                    "may no longer propose another policy",
                    "",
                ),
            ),
            ["approve", "by", person] => (
                vec![format!("person {person}")],
                coming,
                self.verb("may approve", "may no longer approve", ""),
            ),
            ["approve", "required"] => {
                let effect = self.bound().reversed();
                (
                    vec!["everybody".to_owned()],
                    effect,
                    self.transition("how many people must approve a policy"),
                )
            }
            ["approve"] => {
                let words = self.verb(
                    &format!("a policy must be approved: {}", self.shown()),
                    "a policy takes effect without anybody's approval",
                    "",
                );
                (vec!["everybody".to_owned()], coming.reversed(), words)
            }
            rest => self.otherwise(vec!["everybody".to_owned()], rest),
        }
    }

    fn export(&self, secret: &str, rest: &[&str]) -> Explained {
        let coming = self.coming();
        match rest {
            ["to", deployment] => {
                let words = format!(
                    "{} {secret:?}",
                    self.verb("may import", "may no longer import", "")
                );
                (vec![format!("deployment {deployment}")], coming, words)
            }
            _ => {
                let to = self
                    .after
                    .or(self.before)
                    .and_then(|value| value.get("to"))
                    .and_then(Value::as_array);
                let to = to.into_iter().flatten().filter_map(Value::as_str);
                let who = to.map(|deployment| format!("deployment {deployment}")).collect();
                (
                    who,
                    coming,
                    format!(
                        "{} {secret:?}",
                        self.verb("may import", "may no longer import", "")
                    ),
                )
            }
        }
    }
}

/// Everything secret that a service gets.
fn gets(service: &Service) -> Vec<String> {
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

/// A value, short.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.clone(),
        other => other.to_string(),
    };
    // Measurements and keys are shown whole.
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
