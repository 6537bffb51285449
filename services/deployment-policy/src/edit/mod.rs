//! Changes a policy's text: names enclaves and signers in it, and leaves everything else as it is, comments and all.
//!
//! No library writes YAML back as a person has written it. So a change is tried in the ways in which people write lists, and
//! the first is taken after which the text reads as the document that it should be. A text in which none does is left alone.

mod places;

use dcap_quote::Bytes;

use self::places::Places;
use crate::document::{Document, ImageKeyId, Name, Service, Signer};
use crate::read::{ReadError, read};
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
    /// This image key may be given to it, too.
    AddImageKey(ImageKeyId),
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
            Self::AddImageKey(key) if service.image_keys.contains(key) => {}
            Self::AddImageKey(key) => service.image_keys.push(*key),
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
            Self::AddImageKey(_) => "image_keys",
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
            Self::AddImageKey(_) => after.image_keys.iter().map(|key| quotes.around(key)).collect(),
        }
    }

    /// Whether all elements of the list stay as they are written, and one follows.
    fn appends_to(&self, before: usize, after: &Service) -> bool {
        match self {
            Self::SetEnclaves(_) => false,
            Self::AddEnclave(_) | Self::AddImageKey(_) => before > 0,
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
    fn signers_and_image_keys() {
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
