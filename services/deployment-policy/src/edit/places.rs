//! Where things stand in a policy's text, and ways to write a change there.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Edit, Quotes};
use crate::document::{Map, Name, Service};
use crate::read::yaml_options;

/// Where things stand in a text, in bytes.
pub(super) struct Places {
    /// Where the service's own fields begin.
    fields: usize,
    /// Behind the image's name.
    image_end: Option<usize>,
    enclaves: Option<List>,
    signers: Option<List>,
    image_keys: Option<List>,
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
    pub(super) fn find(text: &str, service: &str) -> Option<Self> {
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
            image_keys: Option<Spanned<Vec<Spanned<String>>>>,
        }

        let file: File = serde_saphyr::from_str_with_options(text, yaml_options()).ok()?;
        let fields = file.services.get(service)?;
        Some(Self {
            fields: range(fields)?.0,
            image_end: fields.value.image.as_ref().and_then(range).map(|(_, end)| end),
            enclaves: fields.value.enclaves.as_ref().and_then(List::of_texts),
            image_keys: fields.value.image_keys.as_ref().and_then(List::of_texts),
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
    pub(super) fn candidates(&self, text: &str, edit: &Edit, after: &Service) -> Vec<String> {
        let mut candidates = Vec::new();
        let list = match edit.field() {
            "enclaves" => self.enclaves.as_ref(),
            "image_keys" => self.image_keys.as_ref(),
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
    fn of_texts(list: &Spanned<Vec<Spanned<String>>>) -> Option<Self> {
        let elements = list.value.iter().map(|element| {
            let (start, end) = range(element)?;
            Some(Element { start, end })
        });
        Self::new(list, elements)
    }

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
