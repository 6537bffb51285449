//! From text to a [`Document`]: YAML, or JSON if it begins with `{`.
//!
//! A text of more than 1 MiB, of more nodes, levels or aliases than a policy can need, with a key twice or with a field that
//! is not known is refused. Aliases of YAML are expanded within these bounds; merge keys (`<<`) and tags of
//! one's own are not accepted,
//! because what they mean is not seen where it counts.

use std::fmt;

use serde::Serialize;

use crate::document::Document;
use crate::limits::{MAX_ALIASES, MAX_DEPTH, MAX_NODES, MAX_POLICY_SIZE};
use crate::similar::hint;

/// A place in a text, as editors count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// Counted from 1; lines end with a line feed.
    pub line: u32,
    /// Counted from 1 in characters, a tab being one.
    pub column: u32,
}

impl Position {
    /// Where every text begins.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// The place behind `character`.
    pub(crate) const fn after(self, character: char) -> Self {
        match character {
            '\n' => Self {
                line: self.line.saturating_add(1),
                column: 1,
            },
            _ => Self {
                line: self.line,
                column: self.column.saturating_add(1),
            },
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}{}{message}", Place(self.position), Field(&self.path))]
pub struct ReadError {
    /// Where it is wrong, if that is known.
    pub position: Option<Position>,
    /// The field that is wrong, such as `services.web.limits`; empty if none is.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

struct Place(Option<Position>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|position| write!(f, "{position}: "))
    }
}

struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "{}: ", self.0)
    }
}

/// Reads a document.
///
/// # Errors
/// When it is too large or not of the form.
pub(crate) fn read(text: &str) -> Result<Document, ReadError> {
    if text.len() > MAX_POLICY_SIZE {
        return Err(ReadError {
            position: None,
            path: String::new(),
            message: format!(
                "the policy has {} bytes, and at most {MAX_POLICY_SIZE} are read",
                text.len()
            ),
        });
    }
    if text.trim_start().starts_with('{') {
        from_json(text)
    } else {
        from_yaml(text)
    }
}

fn from_json(text: &str) -> Result<Document, ReadError> {
    // serde_json refuses more than 128 levels, and its events are bounded by the text's length.
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let message = error.to_string();
        let suffix = format!(" at line {} column {}", error.line(), error.column());
        let words = message.strip_suffix(&suffix).unwrap_or(&message);
        ReadError::new(position(error.line(), error.column()), &path, words)
    })?;
    deserializer.end().map_err(|error| {
        let message = "something follows the end of the policy";
        ReadError::new(position(error.line(), error.column()), "", message)
    })?;
    Ok(document)
}

fn from_yaml(text: &str) -> Result<Document, ReadError> {
    let mut path = String::new();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, yaml_options(), |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    });
    read.map_err(|error| {
        let place = error
            .location()
            .map(|place| Position {
                line: u32::try_from(place.line()).unwrap_or(u32::MAX),
                column: u32::try_from(place.column()).unwrap_or(u32::MAX),
            })
            .filter(|place| place.line > 0);
        ReadError::new(place, &path, &words(&error))
    })
}

/// The bounds of what is read.
pub(crate) fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(MAX_POLICY_SIZE),
            max_events: MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            // A second one is refused in words of its own.
            max_documents: 2,
            max_total_scalar_bytes: MAX_POLICY_SIZE,
            max_merge_keys: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
            max_alias_expansions_per_anchor: MAX_ALIASES,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// The error without its location, which is told by itself.
fn words(error: &serde_saphyr::Error) -> String {
    let words = match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            return unknown("field", field, expected);
        }
        serde_saphyr::Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            return unknown("variant", variant, expected);
        }
        serde_saphyr::Error::Budget { breach, .. } => {
            return format!("it has more of something than a policy can need: {breach:?}");
        }
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            return format!("{key:?} is there twice");
        }
        serde_saphyr::Error::NullIntoString { .. } => {
            return "there is no value: write '' for an empty text".to_owned();
        }
        serde_saphyr::Error::MultipleDocuments { .. } => {
            return "a second document begins here; a policy is one".to_owned();
        }
        other => other.to_string(),
    };
    // " at line 5, column 103", which some have.
    let end = words.rfind(" at line ").filter(|end| {
        let place = words.get(*end..).unwrap_or_default();
        place
            .chars()
            .all(|character| character.is_ascii_digit() || " atline,column".contains(character))
    });
    words
        .get(..end.unwrap_or(words.len()))
        .unwrap_or(&words)
        .to_owned()
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    format!("unknown {what} {name:?}{}", hint(name, known.iter().copied()))
}

fn position(line: usize, column: usize) -> Option<Position> {
    let position = Position {
        line: u32::try_from(line).ok()?,
        column: u32::try_from(column).ok()?,
    };
    (position.line > 0).then_some(position)
}

impl ReadError {
    fn new(position: Option<Position>, path: &str, words: &str) -> Self {
        let message = in_our_words(words).unwrap_or_else(|| words.to_owned());
        // An unknown field is named by the message, and "?" and "." are how serde_path_to_error calls what has no name.
        let name = message
            .strip_prefix("unknown field \"")
            .and_then(|rest| rest.split('"').next());
        let path = name.and_then(|name| path.strip_suffix(name)).unwrap_or(path);
        Self {
            position,
            path: path.trim_end_matches('?').trim_end_matches('.').to_owned(),
            message,
        }
    }
}

/// For what serde and its readers say to programmers, such as "unknown field `a`, expected one of `b`, `c`".
fn in_our_words(words: &str) -> Option<String> {
    if words.contains("expected mapping start") || words.contains("expected struct") {
        return Some("fields are expected here (name: value)".to_owned());
    }
    if words.contains("expected sequence start") || words.contains("expected a sequence") {
        return Some("a list is expected here ([a, b])".to_owned());
    }
    let what = ["field", "variant"].into_iter().find(|what| {
        words
            .strip_prefix("unknown ")
            .is_some_and(|rest| rest.starts_with(what))
    })?;
    let mut names = words.split('`').skip(1).step_by(2);
    let name = names.next()?;
    let known: Vec<_> = names.collect();
    words.contains('`').then(|| unknown(what, name, &known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCLAVE: &str = "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e";

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_and_where() {
        for (text, expected) in [
            (
                "name: shop\nservises: {}",
                "line 2, column 1: unknown field \"servises\"",
            ),
            ("name: shop\nservises: {}", "did you mean \"services\"?"),
            (
                "{\"name\": \"shop\",\n\"servises\": {}}",
                "line 2, column 10: unknown field \"servises\"",
            ),
            (
                "{\"name\": \"shop\",\n\"servises\": {}}",
                "did you mean \"services\"?",
            ),
            ("services: {}", "missing field `name`"),
            (
                "name: shop\nservices:\n  web:\n    envronment: {}",
                "line 4, column 5: services.web: unknown field \"envronment\"",
            ),
            (
                "name: shop\nservices: { web: { limits: { instances: -1 } } }",
                "services.web.limits.instances: ",
            ),
            (
                "name: 'a b'\nservices: {}",
                "line 1, column 7: name: \"a b\" is no name",
            ),
            ("name: a\nname: b\nservices: {}", "line 2, column 1: "),
            ("name: a\nservices:\n  web: {}\n  web: {}", "line 4, column 3: "),
            (
                "{\"name\": \"a\", \"name\": \"b\", \"services\": {}}",
                "duplicate field `name`",
            ),
            (
                "{\"name\": \"a\", \"services\": {\"web\": {}, \"web\": {}}}",
                "\"web\" is there twice",
            ),
            ("{\"name\": \"a\", \"services\": {}} {}", "something follows"),
            ("name: a\nservices: {}\n---\nname: b\nservices: {}", ""),
            (
                "name: a\nservices: { web: { environment: { A: ~ } } }",
                "there is no value",
            ),
            ("name: a\nservices: { web: &x { <<: *x } }", ""),
            ("name: !shop a\nservices: {}", ""),
            (
                "name: a\nsecrets: { p: { kind: pasword } }\nservices: {}",
                "did you mean \"password\"?",
            ),
            (
                "name: a\nsecrets: { p: { kind: password, bytes: 3 } }\nservices: {}",
                "\"bytes\" is no field of a secret of the kind password, but of random",
            ),
            (
                "name: a\nsecrets: { p: { kind: random, bytes: 3 } }\nservices: {}",
                "\"bytes\" is 3, and must be 16 to 1024",
            ),
            (
                "name: a\nsecrets: { p: { kind: random, lifetime: 1d, renew_before: 24h } }\nservices: {}",
                "must be shorter",
            ),
            (
                "name: a\nservices: { web: { arguments: ['{{ secret }}'] } }",
                "services.web.arguments[0]: line 1, column 11 of the template: a name in quotes",
            ),
            ("", "unexpected end"),
            ("- a", ""),
            (
                "name: a\nservices: { web: { files: [a] } }",
                "services.web.files: fields are expected here",
            ),
            (
                "name: a\nservices: { web: { enclaves: a } }",
                "services.web.enclaves: a list is expected here",
            ),
            (
                r#"{"name": "a", "services": {"web": {"limits": 1}}}"#,
                "services.web.limits: fields are expected here",
            ),
            (
                r#"{"name": "a", "services": {"web": {"enclaves": {}}}}"#,
                "services.web.enclaves: a list is expected here",
            ),
            ("[", ""),
            ("{", "EOF"),
        ] {
            let found = error(text);
            assert!(
                found.contains(expected),
                "expected {expected:?}, found {found:?}\n{text}"
            );
        }
    }

    #[test]
    fn scalars_are_taken_as_they_are_written() {
        let text = format!(
            "name: '123'
services:
  web:
    enclaves: ['{zeroes}', {nines}, {ENCLAVE}]
    environment: {{ PORT: 8080, VERSION: 1.10, ON: yes, NO: no, OCTAL: 0123, EMPTY: '', EXPONENT: 1e5 }}
    files: {{ /a: {{ content: x, mode: 0640 }} }}
",
            zeroes = "0".repeat(64),
            nines = "9".repeat(64),
        );
        let document = read(&text).unwrap();
        let service = document.services.get("web").unwrap();
        let value = |name: &str| {
            service
                .environment
                .get(&name.parse().unwrap())
                .unwrap()
                .source()
                .to_owned()
        };
        for (name, expected) in [
            ("PORT", "8080"),
            ("VERSION", "1.10"),
            ("ON", "yes"),
            ("NO", "no"),
            ("OCTAL", "0123"),
            ("EMPTY", ""),
            ("EXPONENT", "1e5"),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
        assert_eq!(service.enclaves.len(), 3);
        assert_eq!(service.files.get("/a").unwrap().mode.unwrap().bits(), 0o640);
    }

    #[test]
    fn bombs_are_refused() {
        let large = format!("name: a\nservices: {{}}\n# {}", "x".repeat(MAX_POLICY_SIZE));
        assert!(error(&large).contains("at most 1048576 are read"));
        let deep = format!("name: a\nservices: {}", "[".repeat(10_000));
        error(&deep);
        error(&format!(
            "{{\"name\": \"a\", \"services\": {}",
            "[".repeat(100_000)
        ));
        let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (outer, inner) in ('b'..='z').zip('a'..) {
            laughs += &format!(
                "{outer}: &{outer} [{}]\n",
                vec![format!("*{inner}"); 9].join(", ")
            );
        }
        error(&laughs);
        // Within what the language allows, too.
        let many = vec!["*a"; 5_000].join(", ");
        error(&format!(
            "name: a\nservices: {{ web: {{ arguments: [&a x, {many}] }} }}"
        ));
        let quadratic = format!(
            "name: a\nservices: {{ web: {{ arguments: &a [{}] }}, api: {{ arguments: *a }} }}",
            vec!["x"; 30_000].join(", ")
        );
        error(&quadratic);
    }

    #[test]
    fn aliases_within_bounds_are_what_they_stand_for() {
        let text = "name: a\nservices:\n  one: &one { image: x }\n  two: *one";
        let document = read(text).unwrap();
        assert_eq!(document.services.get("one"), document.services.get("two"));
    }
}
