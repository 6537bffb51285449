//! dpkg's database: paragraphs of fields (deb822(5)).

use crate::{Ecosystem, Package};

/// The packages that `/var/lib/dpkg/status` says are installed.
pub(crate) fn installed(text: &str) -> impl Iterator<Item = Package> {
    let is_installed = |paragraph: &Paragraph<'_>| {
        let status = paragraph.field("Status");
        status.split_whitespace().nth(2) == Some("installed")
    };
    paragraphs(text)
        .filter(is_installed)
        .filter_map(Paragraph::package)
}

/// The packages of a text without states, as distroless images have it.
pub(crate) fn described(text: &str) -> impl Iterator<Item = Package> {
    paragraphs(text).filter_map(Paragraph::package)
}

struct Paragraph<'a>(Vec<&'a str>);

fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let split: Vec<Paragraph<'_>> = lines
        .split(|line| line.trim().is_empty())
        .map(|lines| Paragraph(lines.to_vec()))
        .collect();
    split.into_iter()
}

impl Paragraph<'_> {
    /// The first line of a field, which is all of those that are read here.
    fn field(&self, name: &str) -> &str {
        let value = self.0.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        value.unwrap_or_default()
    }

    fn package(self) -> Option<Package> {
        let text = |name: &str| self.field(name).to_owned();
        let (name, version) = (text("Package"), text("Version"));
        if name.is_empty() || version.is_empty() {
            return None;
        }
        // "glibc (2.36-9)", with the version only where it differs from the package's.
        let source = match self.field("Source").split_once(" (") {
            Some((source, rest)) => (source.to_owned(), rest.trim_end_matches(')').to_owned()),
            None if self.field("Source").is_empty() => (name.clone(), version.clone()),
            None => (text("Source"), version.clone()),
        };
        Some(Package {
            ecosystem: Ecosystem::Deb,
            name,
            version,
            architecture: text("Architecture"),
            source,
            maintainer: text("Maintainer"),
            // It stands in /usr/share/doc/PACKAGE/copyright, as a text for people.
            license: String::new(),
            homepage: text("Homepage"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_installed_counts() {
        let text = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36-9)\n\
                    Version: 2.36-9+deb12u1\nDescription: a library\n with: a colon in its text\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\n\
                    Package: half\nStatus: install ok installed\n";
        let found: Vec<Package> = installed(text).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].name, &*found[0].architecture), ("libc6", "amd64"));
        assert_eq!(found[0].source, ("glibc".into(), "2.36-9".into()));
        assert_eq!(described(text).count(), 2);
    }
}
