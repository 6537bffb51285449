//! What changes, for whom, between two policies.
//!
//! The canonical forms are compared field by field, so that no difference goes unnoticed; `words` says what a difference
//! means. What a service gets follows from its templates, and is compared by itself.

mod service_words;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::document::{Name, Service};
use crate::grant::templates;
use crate::policy::Policy;
use crate::template::{ReferenceKind, Template};

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field, such as `services.web.enclaves`.
    pub path: String,
    /// Whom it concerns: `service web`, `person alice`, `deployment shop`, or `all services`.
    pub who: Vec<String>,
    /// Whether somebody can do more, or less, than before.
    pub effect: Effect,
    /// What it means, in a sentence without its subject: `may start as web: the enclave …`.
    pub words: String,
    /// The value before, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Somebody gets more, or more is accepted.
    Grants,
    /// Something is otherwise.
    Changes,
    /// Somebody gets less, or less is accepted.
    Withdraws,
}

impl Effect {
    /// The other way round.
    const fn reversed(self) -> Self {
        match self {
            Self::Grants => Self::Withdraws,
            Self::Changes => Self::Changes,
            Self::Withdraws => Self::Grants,
        }
    }
}

/// `+ service web: the enclave … may be it`: `+` grants, `-` withdraws, `~` changes.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.effect {
            Effect::Grants => '+',
            Effect::Changes => '~',
            Effect::Withdraws => '-',
        };
        write!(f, "{sign} {}: {}", self.who.join(", "), self.words)
    }
}

/// Everything that changes from `old` to `new`, in the order of the fields. The `predecessor` is no change.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut differences = Vec::new();
    let tree = |policy: &Policy| serde_json::from_str(policy.canonical()).unwrap_or(Value::Null);
    compare(
        &mut Vec::new(),
        Some(&tree(old)),
        Some(&tree(new)),
        &mut differences,
    );
    let mut changes: Vec<_> = differences
        .into_iter()
        .filter(|difference| difference.path != ["predecessor"])
        .map(|difference| words::change(difference, old, new))
        .collect();
    changes.extend(values(old, new));
    changes
}

/// Two values at one place, at least one of which is there.
struct Difference {
    /// Names of members, from the outside.
    path: Vec<String>,
    before: Option<Value>,
    after: Option<Value>,
}

/// Lists in which the order does not count: what is added and what is removed are differences of their own.
const SETS: [&str; 14] = [
    "enclaves",
    "signers",
    "nodes",
    "image_keys",
    "accept",
    "connect",
    "read",
    "update",
    "by",
    "to",
    "dns",
    "ip",
    "uses",
    "tolerate",
];

fn compare(
    path: &mut Vec<String>,
    old: Option<&Value>,
    new: Option<&Value>,
    differences: &mut Vec<Difference>,
) {
    if old == new {
        return;
    }
    let empty = Value::Object(Map::new());
    match (old, new) {
        (Some(Value::Object(_)), None) | (None, Some(Value::Object(_))) if is_one(path) => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            members(path, old, new, differences);
            return;
        }
        (Some(Value::Object(old)), None) => {
            members(path, old, empty.as_object().unwrap_or(old), differences);
            return;
        }
        (None, Some(Value::Object(new))) => {
            members(path, empty.as_object().unwrap_or(new), new, differences);
            return;
        }
        (old, new) if is_list(old) && is_list(new) && is_set(path) => {
            let (old, new) = (keyed(old), keyed(new));
            members(path, &old, &new, differences);
            return;
        }
        _ => {}
    }
    differences.push(Difference {
        path: path.clone(),
        before: old.cloned(),
        after: new.cloned(),
    });
}

/// Whether what is here comes and goes as one: a service, a file, a person. Within those that stay, each field is compared.
fn is_one(path: &[String]) -> bool {
    let parts: Vec<_> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["services" | "secrets" | "volumes" | "imports" | "exports", _]
        | ["services", _, "files" | "volumes", _]
        | ["access", "people", _]
        | ["access", "approve"]
        // Without it, any machine is accepted.
        | [.., "platforms"] => true,
        [.., list, _] => SETS.contains(list),
        _ => false,
    }
}

fn is_list(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_array)
}

fn is_set(path: &[String]) -> bool {
    path.last().is_some_and(|last| SETS.contains(&last.as_str()))
}

/// A list as a map: tolerances by what they are about, everything else by its own text.
fn keyed(list: Option<&Value>) -> Map<String, Value> {
    let elements = list.and_then(Value::as_array).into_iter().flatten();
    elements
        .map(|element| {
            let what = element.get("what").or(Some(element)).and_then(Value::as_str);
            (
                what.map_or_else(|| element.to_string(), str::to_owned),
                element.clone(),
            )
        })
        .collect()
}

fn members(
    path: &mut Vec<String>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    differences: &mut Vec<Difference>,
) {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names {
        path.push(name.clone());
        compare(path, old.get(name), new.get(name), differences);
        path.pop();
    }
}

/// What services get that stay, by their templates.
fn values(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, service) in &new.document().services {
        let Some((_, before)) = old.service(name.as_str()) else {
            continue;
        };
        let (before, after) = (wanted(before), wanted(service));
        for (values, others, effect, verb) in [
            (&after, &before, Effect::Grants, "gets"),
            (&before, &after, Effect::Withdraws, "no longer gets"),
        ] {
            for (secret, kinds) in values {
                let others = others.get(secret);
                for kind in kinds
                    .iter()
                    .filter(|kind| !others.is_some_and(|others| others.contains(kind)))
                {
                    changes.push(Change {
                        path: format!("services.{name}"),
                        who: vec![format!("service {name}")],
                        effect,
                        words: format!("{verb} {}", value_of(*kind, secret)),
                        before: None,
                        after: None,
                    });
                }
            }
        }
    }
    changes
}

/// What a service's templates want of which secrets.
pub(crate) fn wanted(service: &Service) -> BTreeMap<&Name, BTreeSet<ReferenceKind>> {
    let mut wanted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for reference in templates(service).flat_map(Template::references) {
        wanted.entry(&reference.name).or_default().insert(reference.kind);
    }
    wanted
}

/// `the private key of "web"`.
pub(crate) fn value_of(kind: ReferenceKind, secret: &Name) -> String {
    let secret = secret.as_str();
    match kind {
        ReferenceKind::Secret => format!("the secret {secret:?}"),
        ReferenceKind::PrivateKey => format!("the private key of {secret:?}"),
        ReferenceKind::Certificate => format!("the certificate of {secret:?}"),
        ReferenceKind::Ca => format!("the authority's certificate of {secret:?}"),
    }
}
