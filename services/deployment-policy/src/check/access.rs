//! People: who they are, and what they may do.

use std::collections::{BTreeMap, BTreeSet};

use super::Problems;
use crate::document::{Access, Name};

pub(super) fn check(access: &Access, problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for (name, person) in &access.people {
        let path = format!("access.people.{name}");
        let message = "whose certificate or public_key is it? give the SHA-256 of one, or of both";
        problems.add_if(
            person.certificate.is_none() && person.public_key.is_none(),
            &path,
            message,
        );
        // One person under two names would be two of the n who must approve.
        for (what, id) in [
            ("certificate", person.certificate),
            ("public_key", person.public_key),
        ] {
            let Some(id) = id else { continue };
            if let Some(other) = seen.insert((what, id), name) {
                problems.add(
                    &path,
                    format_args!("it has the {what} of {other}: name a person once"),
                );
            }
        }
    }
    check_names(access, &access.read, "access.read", problems);
    check_names(access, &access.update, "access.update", problems);
    let Some(approve) = &access.approve else {
        return;
    };
    check_names(access, &approve.by, "access.approve.by", problems);
    let path = "access.approve.required";
    let (required, people) = (approve.required, approve.by.len());
    problems.add_if(
        required == 0,
        path,
        "nobody would have to approve; leave approve out if that is meant",
    );
    problems.add_if(
        usize::try_from(required).map_or(true, |required| required > people),
        path,
        format_args!("{required} of {people} people cannot approve"),
    );
}

fn check_names(access: &Access, names: &[Name], path: &str, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let person = name.as_str();
        problems.add_if(
            !seen.insert(name),
            &path,
            format_args!("{person:?} is there twice"),
        );
        if access.people.get(person).is_none() {
            let known = access.people.keys().map(Name::as_str);
            problems.unknown(&path, "person", person, known);
        }
    }
}
