//! Changes a policy's text: names enclaves and signers in it, and leaves everything else as it is, comments and all.
//!
//! No library writes YAML back as a person has written it. So a change is tried in the ways in which people write lists, and
//! the first is taken after which the text reads as the document that it should be. A text in which none does is left alone.

use std::collections::BTreeMap;

use dcap_quote::Bytes;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::document::{Document, Map, Name, Service, Signer};
use crate::read::{ReadError, read, yaml_options};
use crate::similar::hint;

/// What is changed in a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// These enclaves, in place of those that it names.
    SetEnclaves(Vec<Bytes<32>>),
    /// This enclave, too.
    AddEnclave(Bytes<32>),
    /// This signer's enclaves, too; in place of an entry of the same signer and product.
    AddSigner(Signer),
}

/// Why a text was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is no policy.
    #[error("{0}")]
    Read(ReadError),
    /// There is nothing to change.
    #[error("there is no service {0:?}{1}")]
    NoService(String, String),
    /// It is written in a way that is not understood here.
    #[error(
        "this text cannot be changed here, because of how it is written; write into services.{service} yourself: {line}"
    )]
    Form {
        /// The service.
        service: String,
        /// What should be there.
        line: String,
    },
}

/// The text with the change; the same text if it says so already.
///
/// # Errors
/// When it is no policy, has no such service, or is written in a way that is not understood.
pub fn edit(text: &str, service: &str, edit: &Edit) -> Result<String, EditError> {
    let document = read(text).map_err(EditError::Read)?;
    let Some(before) = document.services.get(service) else {
        let known = hint(service, document.services.keys().map(Name::as_str));
        return Err(EditError::NoService(service.to_owned(), known));
    };
    let mut after = before.clone();
    edit.apply(&mut after);
    if after == *before {
        return Ok(text.to_owned());
    }
    let line = line(edit.field(), &edit.items(&after, Quotes::None));
    let wanted = with_service(&document, service, after.clone());
    let form = EditError::Form {
        service: service.to_owned(),
        line,
    };
    let Some(places) = Places::find(text, service) else {
        return Err(form);
    };
    let candidates = places.candidates(text, edit, &after);
    let found = candidates
        .into_iter()
        .find(|candidate| read(candidate).as_ref() == Ok(&wanted));
    found.ok_or(form)
}

fn with_service(document: &Document, name: &str, service: Service) -> Document {
    let services = document.services.iter().map(|(other, old)| {
        let new = if other.as_str() == name {
            service.clone()
        } else {
            old.clone()
        };
        (other.clone(), new)
    });
    Document {
        services: services.collect(),
        ..document.clone()
    }
}

impl Edit {
    fn apply(&self, service: &mut Service) {
        match self {
            Self::SetEnclaves(enclaves) => service.enclaves.clone_from(enclaves),
            Self::AddEnclave(enclave) if service.enclaves.contains(enclave) => {}
            Self::AddEnclave(enclave) => service.enclaves.push(*enclave),
            Self::AddSigner(signer) => {
                let same = |other: &Signer| {
                    other.mrsigner == signer.mrsigner && other.product_id == signer.product_id
                };
                match service.signers.iter_mut().find(|other| same(other)) {
                    Some(other) => *other = signer.clone(),
                    None => service.signers.push(signer.clone()),
                }
            }
        }
    }

    const fn field(&self) -> &'static str {
        match self {
            Self::SetEnclaves(_) | Self::AddEnclave(_) => "enclaves",
            Self::AddSigner(_) => "signers",
        }
    }

    /// The whole list afterwards, each element as text.
    fn items(&self, after: &Service, quotes: Quotes) -> Vec<String> {
        match self {
            Self::SetEnclaves(_) | Self::AddEnclave(_) => after
                .enclaves
                .iter()
                .map(|enclave| quotes.around(enclave))
                .collect(),
            Self::AddSigner(_) => after
                .signers
                .iter()
                .map(|signer| signer_text(signer, quotes))
                .collect(),
        }
    }

    /// Whether all elements of the list stay as they are written, and one follows.
    fn appends_to(&self, before: usize, after: &Service) -> bool {
        match self {
            Self::SetEnclaves(_) => false,
            Self::AddEnclave(_) => before > 0,
            Self::AddSigner(_) => before > 0 && after.signers.len() > before,
        }
    }
}

fn signer_text(signer: &Signer, quotes: Quotes) -> String {
    let key = |name: &str| match quotes {
        Quotes::Double => format!("\"{name}\""),
        _ => name.to_owned(),
    };
    format!(
        "{{ {}: {}, {}: {}, {}: {} }}",
        key("mrsigner"),
        quotes.around(signer.mrsigner),
        key("product_id"),
        signer.product_id,
        key("min_svn"),
        signer.min_svn
    )
}

fn line(field: &str, items: &[String]) -> String {
    format!("{field}: [{}]", items.join(", "))
}

/// What stands around a text.
#[derive(Clone, Copy)]
enum Quotes {
    None,
    Single,
    Double,
}

impl Quotes {
    fn around(self, text: impl std::fmt::Display) -> String {
        match self {
            Self::None => text.to_string(),
            Self::Single => format!("'{text}'"),
            Self::Double => format!("\"{text}\""),
        }
    }
}

/// Where things stand in a text, in bytes.
struct Places {
    /// Where the service's own fields begin.
    fields: usize,
    /// Behind the image's name.
    image_end: Option<usize>,
    enclaves: Option<List>,
    signers: Option<List>,
}

/// A list in brackets or with dashes.
struct List {
    start: usize,
    elements: Vec<Element>,
}

/// From its beginning to the end of the last text in it.
struct Element {
    start: usize,
    end: usize,
}

impl Places {
    fn find(text: &str, service: &str) -> Option<Self> {
        type Texts = BTreeMap<String, Spanned<String>>;

        #[derive(Deserialize)]
        struct File {
            services: Map<Name, Spanned<Fields>>,
        }

        #[derive(Deserialize)]
        struct Fields {
            image: Option<Spanned<String>>,
            enclaves: Option<Spanned<Vec<Spanned<String>>>>,
            signers: Option<Spanned<Vec<Spanned<Texts>>>>,
        }

        let file: File = serde_saphyr::from_str_with_options(text, yaml_options()).ok()?;
        let fields = file.services.get(service)?;
        Some(Self {
            fields: range(fields)?.0,
            image_end: fields.value.image.as_ref().and_then(range).map(|(_, end)| end),
            enclaves: fields.value.enclaves.as_ref().and_then(|list| {
                let elements = list.value.iter().map(|element| {
                    let (start, end) = range(element)?;
                    Some(Element { start, end })
                });
                List::new(list, elements)
            }),
            signers: fields.value.signers.as_ref().and_then(|list| {
                let elements = list.value.iter().map(|element| {
                    let ends = element.value.values().filter_map(range).map(|(_, end)| end);
                    Some(Element {
                        start: range(element)?.0,
                        end: ends.max()?,
                    })
                });
                List::new(list, elements)
            }),
        })
    }

    /// Ways to write the change, the nicest first.
    fn candidates(&self, text: &str, edit: &Edit, after: &Service) -> Vec<String> {
        let mut candidates = Vec::new();
        let list = match edit.field() {
            "enclaves" => self.enclaves.as_ref(),
            _ => self.signers.as_ref(),
        };
        let quotes = [Quotes::None, Quotes::Double, Quotes::Single];
        // As the elements that are there are written.
        let first = list
            .and_then(|list| list.elements.first())
            .and_then(|first| text.get(first.start..));
        let quotes = match first.and_then(|first| first.chars().next()) {
            Some('"') => [Quotes::Double, Quotes::None, Quotes::Single],
            Some('\'') => [Quotes::Single, Quotes::None, Quotes::Double],
            _ if text.trim_start().starts_with('{') => [Quotes::Double, Quotes::None, Quotes::Single],
            _ => quotes,
        };
        for quotes in quotes {
            let items = edit.items(after, quotes);
            match list {
                Some(list) => list.candidates(text, edit, after, &items, &mut candidates),
                None => self.insertions(text, edit.field(), &items, quotes, &mut candidates),
            }
        }
        candidates
    }

    /// A field that was not there.
    fn insertions(
        &self,
        text: &str,
        field: &str,
        items: &[String],
        quotes: Quotes,
        candidates: &mut Vec<String>,
    ) {
        let items = items.join(", ");
        let line = match quotes {
            Quotes::Double if text.trim_start().starts_with('{') => format!("\"{field}\": [{items}]"),
            _ => format!("{field}: [{items}]"),
        };
        let indent = indentation(text, self.fields);
        if let Some(end) = self.image_end {
            // Behind the line of the image, or behind the image.
            let rest = text.get(end..).unwrap_or_default();
            let line_end = rest.find('\n').map_or(text.len(), |at| end.saturating_add(at));
            candidates.extend(insert(text, line_end, &format!("\n{indent}{line}")));
            candidates.extend(insert(text, end, &format!(", {line}")));
        }
        candidates.extend(insert(text, self.fields, &format!("{line}\n{indent}")));
        let behind_brace = self.fields.saturating_add(1);
        let is_empty = text
            .get(behind_brace..)
            .is_some_and(|rest| rest.trim_start().starts_with('}'));
        let line = if is_empty {
            format!(" {line} ")
        } else {
            format!(" {line},")
        };
        candidates.extend(insert(text, behind_brace, &line));
    }
}

impl List {
    fn new<T>(list: &Spanned<T>, elements: impl Iterator<Item = Option<Element>>) -> Option<Self> {
        Some(Self {
            start: range(list)?.0,
            elements: elements.collect::<Option<_>>()?,
        })
    }

    fn candidates(
        &self,
        text: &str,
        edit: &Edit,
        after: &Service,
        items: &[String],
        candidates: &mut Vec<String>,
    ) {
        let behind = |from: usize, mark: char| {
            let rest = text.get(from..).unwrap_or_default();
            rest.find(mark).map_or(text.len(), |at| from.saturating_add(at))
        };
        let (Some(first), Some(last)) = (self.elements.first(), self.elements.last()) else {
            let end = behind(self.start, ']').saturating_add(1);
            candidates.extend(replace(
                text,
                (self.start, end),
                &format!("[{}]", items.join(", ")),
            ));
            return;
        };
        let block = format!("\n{}- ", indentation_of_dash(text, last.start));
        // An element is a text, or a map with or without braces.
        for end in [last.end, behind(last.end, '}').saturating_add(1)] {
            if edit.appends_to(self.elements.len(), after) {
                let Some(item) = items.last() else { return };
                let line_end = behind(end, '\n');
                candidates.extend(insert(text, end, &format!(", {item}")));
                candidates.extend(insert(text, line_end, &format!("{block}{item}")));
            }
            for separator in [", ", &block] {
                candidates.extend(replace(text, (first.start, end), &items.join(separator)));
            }
        }
    }
}

/// Where a value stands.
fn range<T>(spanned: &Spanned<T>) -> Option<(usize, usize)> {
    let span = spanned.referenced.span();
    let (start, len) = (span.byte_offset()?, span.byte_len()?);
    let start = usize::try_from(start).ok()?;
    Some((start, start.checked_add(usize::try_from(len).ok()?)?))
}

fn insert(text: &str, at: usize, new: &str) -> Option<String> {
    replace(text, (at, at), new)
}

fn replace(text: &str, (start, end): (usize, usize), new: &str) -> Option<String> {
    Some(format!("{}{new}{}", text.get(..start)?, text.get(end..)?))
}

/// As many spaces as stand before this place in its line, other characters counted as spaces.
fn indentation(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    " ".repeat(line.chars().count())
}

/// As [`indentation`], of the `-` before an element.
fn indentation_of_dash(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let dash = line.rfind('-').and_then(|dash| line.get(..dash));
    " ".repeat(dash.unwrap_or(line).chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Bytes<32> = Bytes([0xaa; 32]);
    const B: Bytes<32> = Bytes([0xbb; 32]);

    fn signer(min_svn: u16) -> Signer {
        Signer {
            mrsigner: A,
            product_id: 1,
            min_svn,
        }
    }

    /// AA and BB stand for the two digests.
    fn expand(text: &str) -> String {
        text.replace("AA", &A.to_string()).replace("BB", &B.to_string())
    }

    #[test]
    fn everything_else_stays() {
        let add = Edit::AddEnclave(B);
        let set = Edit::SetEnclaves(vec![B]);
        for (what, before, after) in [
            (
                &add,
                "    enclaves: [AA] # one\n    image: x\n",
                "    enclaves: [AA, BB] # one\n    image: x\n",
            ),
            (&set, "    enclaves: [AA] # one\n", "    enclaves: [BB] # one\n"),
            (&add, "    enclaves: [ 'AA' ]\n", "    enclaves: [ 'AA', 'BB' ]\n"),
            (
                &add,
                "    enclaves: []\n    image: x\n",
                "    enclaves: [BB]\n    image: x\n",
            ),
            (
                &add,
                "    enclaves:\n      - AA # old\n    # next\n    image: x\n",
                "    enclaves:\n      - AA # old\n      - BB\n    # next\n    image: x\n",
            ),
            (
                &add,
                "    enclaves:\n    - \"AA\"",
                "    enclaves:\n    - \"AA\"\n    - \"BB\"",
            ),
            (
                &set,
                "    enclaves:\n      - AA\n    image: x\n",
                "    enclaves:\n      - BB\n    image: x\n",
            ),
            (
                &add,
                "    image: x # comment\n    limits: {}\n",
                "    image: x # comment\n    enclaves: [BB]\n    limits: {}\n",
            ),
            (&add, "    image: 'x'", "    image: 'x'\n    enclaves: [BB]"),
            (
                &add,
                "    # comment\n    limits: {}\n",
                "    # comment\n    enclaves: [BB]\n    limits: {}\n",
            ),
        ] {
            let text = |fields: &str| format!("# top\nname:   shop\nservices:\n  web:\n{}", expand(fields));
            let edited = edit(&text(before), "web", what).unwrap();
            assert_eq!(edited, text(after), "{before}");
            // Once more changes nothing.
            assert_eq!(edit(&edited, "web", what).unwrap(), edited);
        }
    }

    #[test]
    fn flows_and_json() {
        let add = Edit::AddEnclave(B);
        for (before, after) in [
            ("{ name: a, services: { web: { image: x } } }", None),
            (
                "name: a\nservices: { web: { image: x } } # c",
                Some("name: a\nservices: { web: { image: x, enclaves: [BB] } } # c"),
            ),
            (
                "name: a\nservices: { web: { image: x, enclaves: [AA] }, api: { image: y } }",
                Some("name: a\nservices: { web: { image: x, enclaves: [AA, BB] }, api: { image: y } }"),
            ),
            (
                "name: a\nservices: { web: {} }",
                Some("name: a\nservices: { web: { enclaves: [BB] } }"),
            ),
            (
                "name: a\nservices: { web: { limits: {} } }",
                Some("name: a\nservices: { web: { enclaves: [BB], limits: {} } }"),
            ),
            (
                r#"{"name": "a", "services": {"web": {"image": "x"}}}"#,
                Some(r#"{"name": "a", "services": {"web": {"image": "x", "enclaves": ["BB"]}}}"#),
            ),
            (
                r#"{"name": "a", "services": {"web": {"enclaves": ["AA"]}}}"#,
                Some(r#"{"name": "a", "services": {"web": {"enclaves": ["AA", "BB"]}}}"#),
            ),
            (
                r#"{"name": "a", "services": {"web": {}}}"#,
                Some(r#"{"name": "a", "services": {"web": { "enclaves": ["BB"] }}}"#),
            ),
        ] {
            let edited = edit(&expand(before), "web", &add);
            assert_eq!(edited.ok(), after.map(expand), "{before}");
        }
    }

    #[test]
    fn signers() {
        let text = |fields: &str| format!("name: a\nservices:\n  web:\n{}", expand(fields));
        let line = |svn: u16| format!("{{ mrsigner: AA, product_id: 1, min_svn: {svn} }}");
        let other = "{ mrsigner: BB, product_id: 1, min_svn: 9 }";
        for (before, after) in [
            ("    image: x\n".to_owned(), format!("    image: x\n    signers: [{}]\n", line(3))),
            (format!("    signers: [{}]\n", line(2)), format!("    signers: [{}]\n", line(3))),
            (format!("    signers: [{other}]\n"), format!("    signers: [{other}, {}]\n", line(3))),
            (format!("    signers:\n      - {other}\n    image: x\n"), format!("    signers:\n      - {other}\n      - {}\n    image: x\n", line(3))),
            (
                "    signers:\n      - mrsigner: BB\n        product_id: 1\n        min_svn: 9 # c\n    image: x\n".to_owned(),
                format!("    signers:\n      - mrsigner: BB\n        product_id: 1\n        min_svn: 9 # c\n      - {}\n    image: x\n", line(3)),
            ),
        ] {
            let edited = edit(&text(&before), "web", &Edit::AddSigner(signer(3))).unwrap();
            assert_eq!(edited, text(&after), "{before}");
        }
        let json = expand(
            r#"{"name": "a", "services": {"web": {"signers": [{"mrsigner": "BB", "product_id": 1, "min_svn": 9}]}}}"#,
        );
        let edited = edit(&json, "web", &Edit::AddSigner(signer(3))).unwrap();
        assert!(
            edited.contains(&expand(
                r#"9}, { "mrsigner": "AA", "product_id": 1, "min_svn": 3 }]"#
            )),
            "{edited}"
        );
    }

    #[test]
    fn what_cannot_be_changed_is_left_alone() {
        let add = Edit::AddEnclave(B);
        // Both services would change.
        let alias = "name: a\nservices:\n  api: &one { image: x }\n  web: *one\n";
        let error = edit(alias, "web", &add).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("services.web yourself: enclaves: [{B}]")),
            "{error}"
        );
        let error = edit("name: a\nservices: { web: { image: x } }", "wbe", &add).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no service \"wbe\"; did you mean \"web\"?"
        );
        assert!(matches!(edit("x", "web", &add), Err(EditError::Read(_))));
    }
}
