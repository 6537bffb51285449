//! apk's database: paragraphs of lines that begin with a letter (`apk-tools`, doc/apk-v2.5.scd: "installed").

use crate::{Ecosystem, Package};

/// The packages that `/lib/apk/db/installed` has.
pub(crate) fn installed(text: &str) -> impl Iterator<Item = Package> {
    text.split("\n\n").filter_map(package)
}

fn package(paragraph: &str) -> Option<Package> {
    let field = |letter: char| {
        let value = paragraph
            .lines()
            .find_map(|line| line.strip_prefix(letter)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_owned()
    };
    let (name, version) = (field('P'), field('V'));
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let origin = match field('o') {
        origin if origin.is_empty() => name.clone(),
        origin => origin,
    };
    Some(Package {
        ecosystem: Ecosystem::Apk,
        architecture: field('A'),
        source: (origin, version.clone()),
        maintainer: field('m'),
        license: field('L'),
        homepage: field('U'),
        name,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_fields() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nm:Someone <a@b.example>\nU:https://musl.libc.org/\n\
                    F:lib\nR:ld-musl-x86_64.so.1\n\nP:broken\n\n";
        let found: Vec<Package> = installed(text).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].version, &*found[0].license), ("1.2.5-r0", "MIT"));
    }
}
