//! Reads templates.

use super::{Filter, Part, Reference, ReferenceKind, TemplateError};
use crate::document::Name;
use crate::read::Position;

/// Filters of one place.
const MAX_FILTERS: usize = 4;

/// Letters of a word that is wrong which are shown.
const SHOWN: usize = 40;

/// The pieces of a template.
pub(super) fn parse(source: &str) -> Result<Vec<Part>, TemplateError> {
    let mut reader = Reader {
        rest: source,
        position: Position::START,
    };
    let mut parts = Vec::new();
    loop {
        let text = reader.until_braces();
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        if reader.rest.is_empty() {
            return Ok(parts);
        }
        parts.push(reader.place()?);
    }
}

/// What is left of a template.
struct Reader<'a> {
    rest: &'a str,
    position: Position,
}

impl<'a> Reader<'a> {
    /// Everything up to `{{` or the end.
    fn until_braces(&mut self) -> &'a str {
        let end = self.rest.find("{{").unwrap_or(self.rest.len());
        self.take(end)
    }

    /// `{{ … }}`.
    fn place(&mut self) -> Result<Part, TemplateError> {
        let position = self.position;
        self.take(2);
        self.skip_space();
        if self.rest.starts_with('"') {
            let text = self.string()?;
            self.close(position)?;
            return Ok(Part::Text(text.to_owned()));
        }
        let at = self.position;
        let kind = ReferenceKind::parse(self.word(position)?).map_err(|message| TemplateError {
            position: at,
            message,
        })?;
        self.skip_space();
        if !self.rest.starts_with('"') {
            let message = format!(
                "a name in quotes must follow {}: {{{{ {} \"name\" }}}}",
                kind.name(),
                kind.name()
            );
            return Err(self.error(message));
        }
        let at = self.position;
        let name = self.string()?;
        if let Some(more) = self.rest.strip_prefix('.') {
            let member: String = more
                .chars()
                .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
                .take(SHOWN)
                .collect();
            let message = format!(
                "a name stands in its quotes as a whole: {:?}",
                format!("{name}.{member}")
            );
            return Err(self.error(message));
        }
        let name: Name = name
            .parse()
            .map_err(|error: <Name as std::str::FromStr>::Err| TemplateError {
                position: at,
                message: error.to_string(),
            })?;
        let mut filters = Vec::new();
        loop {
            self.skip_space();
            if !self.rest.starts_with('|') {
                break;
            }
            self.take(1);
            self.skip_space();
            let at = self.position;
            let filter = Filter::parse(self.word(position)?).map_err(|message| TemplateError {
                position: at,
                message,
            })?;
            filters.push(filter);
            if filters.len() > MAX_FILTERS {
                return Err(self.error(format!("more than {MAX_FILTERS} filters")));
            }
        }
        self.close(position)?;
        Ok(Part::Reference(Reference {
            kind,
            name,
            filters,
            position,
        }))
    }

    /// A string in quotes, on one line. There are no escapes: no name needs one.
    fn string(&mut self) -> Result<&'a str, TemplateError> {
        let start = self.position;
        self.take(1);
        let end = self.rest.find(['"', '\n']);
        match end {
            Some(end) if self.rest.get(end..).is_some_and(|rest| rest.starts_with('"')) => {
                let text = self.take(end);
                self.take(1);
                Ok(text)
            }
            _ => Err(TemplateError {
                position: start,
                message: "this string has no end: a '\"' is missing".to_owned(),
            }),
        }
    }

    /// Letters and underscores; at least one.
    fn word(&mut self, start: Position) -> Result<&'a str, TemplateError> {
        let is_of_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = self
            .rest
            .find(|character| !is_of_word(character))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(self.unexpected(start));
        }
        Ok(self.take(end))
    }

    /// `}}`.
    fn close(&mut self, start: Position) -> Result<(), TemplateError> {
        self.skip_space();
        if !self.rest.starts_with("}}") {
            return Err(self.unexpected(start));
        }
        self.take(2);
        Ok(())
    }

    fn skip_space(&mut self) {
        let end = self.rest.find(|character: char| !character.is_ascii_whitespace());
        self.take(end.unwrap_or(self.rest.len()));
    }

    /// Takes so many bytes, which end at a character.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.position = taken.chars().fold(self.position, Position::after);
        taken
    }

    fn error(&self, message: String) -> TemplateError {
        TemplateError {
            position: self.position,
            message,
        }
    }

    fn unexpected(&self, start: Position) -> TemplateError {
        match self.rest.chars().next() {
            Some(character) => self.error(format!(
                "{character:?} is not expected here; a place is {{{{ secret \"name\" }}}} or {{{{ secret \"name\" | base64 }}}}, \
                 and {{{{ \"{{{{\" }}}} stands for two braces"
            )),
            None => TemplateError {
                position: start,
                message: "this place has no end: \"}}\" is missing".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Template;

    fn shape(source: &str) -> Vec<String> {
        let template: Template = source.parse().unwrap();
        let mut shape = Vec::new();
        for part in &template.parts {
            shape.push(match part {
                super::Part::Text(text) => format!("{text:?}"),
                super::Part::Reference(reference) => {
                    let filters: Vec<_> = reference.filters.iter().map(|filter| filter.name()).collect();
                    format!(
                        "{} {} {}",
                        reference.kind.name(),
                        reference.name,
                        filters.join(",")
                    )
                }
            });
        }
        shape
    }

    #[test]
    fn pieces() {
        assert_eq!(shape(""), Vec::<String>::new());
        assert_eq!(shape("plain } }} { é"), ["\"plain } }} { é\""]);
        assert_eq!(
            shape("a{{ secret \"db.password\" }}b{{ca\"internal\"|base64|hex}}"),
            ["\"a\"", "secret db.password ", "\"b\"", "ca internal base64,hex"]
        );
        assert_eq!(shape("{{\n\tprivate_key \"web\"\n}}"), ["private_key web "]);
        assert_eq!(shape("{{ \"{{\" }} x }}"), ["\"{{\"", "\" x }}\""]);
    }

    #[test]
    fn what_is_wrong_and_where() {
        for (source, at, part) in [
            ("{{", (1, 1), "has no end"),
            ("{{ ", (1, 1), "has no end"),
            ("{{ secret", (1, 10), "a name in quotes"),
            ("{{ secret \"a\"", (1, 1), "has no end"),
            ("{{ secret \"a\" }", (1, 15), "'}' is not expected"),
            ("{{ secret \"a", (1, 11), "string has no end"),
            ("{{ secret \"a\n\" }}", (1, 11), "string has no end"),
            ("x\né{{ secet \"a\" }}", (2, 5), "did you mean \"secret\"?"),
            ("{{ password \"a\" }}", (1, 4), "there are secret, private_key"),
            ("{{ secret \"a\" | base46 }}", (1, 17), "did you mean \"base64\"?"),
            ("{{ secret \"db\".password }}", (1, 15), "\"db.password\""),
            ("{{ secret \"a b\" }}", (1, 11), "is no name"),
            ("{{ secret \"\" }}", (1, 11), "is no name"),
            ("{{- secret \"a\" }}", (1, 3), "'-' is not expected"),
            ("{{ secret \"a\" |hex|hex|hex|hex|hex }}", (1, 35), "more than 4"),
        ] {
            let error = source.parse::<Template>().unwrap_err();
            assert_eq!(
                (error.position.line, error.position.column),
                at,
                "{source}: {error}"
            );
            assert!(error.message.contains(part), "{source}: {error}");
        }
    }
}
