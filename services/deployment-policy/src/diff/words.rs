//! What a difference means.

use serde_json::Value;

use super::service_words::{Whose, gets};
use super::{Change, Difference, Effect};
use crate::document::Service;
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

type Explained = (Vec<String>, Effect, String);

pub(super) struct Context<'a> {
    pub(super) before: Option<&'a Value>,
    pub(super) after: Option<&'a Value>,
    pub(super) old: &'a Policy,
    pub(super) new: &'a Policy,
}

impl Context<'_> {
    /// Something that is a grant when it comes.
    pub(super) const fn coming(&self) -> Effect {
        match (self.before.is_some(), self.after.is_some()) {
            (false, true) => Effect::Grants,
            (true, false) => Effect::Withdraws,
            _ => Effect::Changes,
        }
    }

    /// The value that there is, or was.
    pub(super) fn shown(&self) -> String {
        self.after.or(self.before).map_or_else(String::new, shown)
    }

    /// `is a`, `is no longer a`.
    pub(super) fn verb(&self, comes: &str, goes: &str, changes: &str) -> String {
        match self.coming() {
            Effect::Grants => comes,
            Effect::Withdraws => goes,
            Effect::Changes => changes,
        }
        .to_owned()
    }

    /// `from 2 to 3`, `is set to 3`.
    pub(super) fn transition(&self, what: &str) -> String {
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

/// A value, short.
pub(super) fn shown(value: &Value) -> String {
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
