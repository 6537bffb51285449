//! `cargo xtask links`: checks the relative links of the Markdown documents: files, anchors, and the site's table of contents.
//!
//! Links to the web are not followed: a check before a commit must not depend on a network.
//! The syntax read is what the documents use: inline links and images, and reference definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The table of contents of the documentation site; every page beside it must be listed there.
pub const SUMMARY: &str = "docs/SUMMARY.md";

/// Checks every Markdown document of the checkout.
///
/// # Errors
/// With every broken link, one a line.
pub fn run() -> Result<()> {
    let documents = Documents::load()?;
    let mut broken = Vec::new();
    for (path, document) in &documents.0 {
        for link in &document.links {
            if let Err(reason) = documents.check(path, &link.target) {
                broken.push(format!(
                    "{}:{}: {}: {reason}",
                    path.display(),
                    link.line,
                    link.target
                ));
            }
        }
    }
    broken.extend(documents.pages_not_in_summary());
    if broken.is_empty() {
        println!("links: {} documents, no broken link", documents.0.len());
        return Ok(());
    }
    bail!("broken links:\n  {}", broken.join("\n  "))
}

/// The paths of all Markdown documents, relative to the root of the checkout. Not by asking git, so that it works on sources
/// without a repository, too.
///
/// # Errors
/// When a folder cannot be read.
fn paths() -> Result<Vec<PathBuf>> {
    let root = shell::workspace();
    let mut folders = vec![PathBuf::new()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                if !is_built(&path) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// The documents, and the other files of the checkout that they link to.
///
/// # Errors
/// When something cannot be read.
pub fn documents_and_linked_files() -> Result<BTreeSet<PathBuf>> {
    let documents = Documents::load()?;
    let mut files: BTreeSet<PathBuf> = documents.0.keys().cloned().collect();
    for (path, document) in &documents.0 {
        let targets = document.links.iter().filter(|link| !is_external(&link.target));
        let linked = targets.filter_map(|link| resolve(path, &link.target));
        files.extend(linked.filter(|linked| shell::workspace().join(linked).is_file()));
    }
    Ok(files)
}

/// Whether a folder holds what tools have made, or what they keep (`.git`), and no documents.
fn is_built(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("target") || (name.starts_with('.') && name != ".github")
}

/// The documents by their paths.
struct Documents(BTreeMap<PathBuf, Document>);

impl Documents {
    fn load() -> Result<Self> {
        let mut documents = BTreeMap::new();
        for path in paths()? {
            let text = fs::read_to_string(shell::workspace().join(&path))
                .with_context(|| path.display().to_string())?;
            documents.insert(path, Document::parse(&text));
        }
        Ok(Self(documents))
    }

    /// Checks one target of a link in the document at `from`.
    fn check(&self, from: &Path, target: &str) -> Result<(), String> {
        if is_external(target) {
            return Ok(());
        }
        let (path, anchor) = match target.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (target, None),
        };
        let path = if path.is_empty() {
            from.to_owned()
        } else {
            resolve(from, path).ok_or("it leaves the repository")?
        };
        if !shell::workspace().join(&path).exists() {
            return Err("there is no such file".to_owned());
        }
        match (anchor, self.0.get(&path)) {
            (Some(anchor), Some(document)) if !document.anchors.contains(anchor) => {
                Err(format!("{} has no such heading", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Pages of the site's folder that no reader of the site could find.
    fn pages_not_in_summary(&self) -> Vec<String> {
        let summary = Path::new(SUMMARY);
        let Some(contents) = self.0.get(summary) else {
            return vec![format!("{SUMMARY} is missing")];
        };
        let listed: BTreeSet<_> = contents
            .links
            .iter()
            .filter_map(|link| resolve(summary, &link.target))
            .collect();
        let folder = summary.parent().unwrap_or(summary);
        self.0
            .keys()
            .filter(|path| path.starts_with(folder) && *path != summary && !listed.contains(*path))
            .map(|path| format!("{}: not listed in {SUMMARY}", path.display()))
            .collect()
    }
}

/// What the check needs to know of a document.
#[derive(Debug, PartialEq)]
struct Document {
    links: Vec<Link>,
    /// What can stand after `#`.
    anchors: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
struct Link {
    /// From 1.
    line: usize,
    target: String,
}

impl Document {
    fn parse(text: &str) -> Self {
        let mut links = Vec::new();
        let mut anchors = BTreeSet::new();
        let mut fence: Option<&str> = None;
        for (index, line) in text.lines().enumerate() {
            let content = line.trim_start();
            if let Some(open) = fence {
                if content.starts_with(open) {
                    fence = None;
                }
                continue;
            }
            if let Some(open) = ["```", "~~~"].into_iter().find(|mark| content.starts_with(mark)) {
                fence = Some(open);
                continue;
            }
            if let Some(heading) = heading(content) {
                let anchor = anchor(heading);
                // Headings of the same text are told apart by a number.
                let mut candidate = anchor.clone();
                let mut number = 0;
                while anchors.contains(&candidate) {
                    number += 1;
                    candidate = format!("{anchor}-{number}");
                }
                anchors.insert(candidate);
            }
            for target in targets(content) {
                links.push(Link {
                    line: index + 1,
                    target,
                });
            }
        }
        Self { links, anchors }
    }
}

/// The text of a line that is a heading.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let depth = line.len() - text.len();
    ((1..=6).contains(&depth) && text.starts_with(' ')).then(|| text.trim())
}

/// The anchor that GitHub gives to a heading: lower case, spaces become hyphens, other punctuation goes.
fn anchor(heading: &str) -> String {
    let mut anchor = String::new();
    // A link in a heading counts by its text alone.
    let mut rest = heading;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    for character in plain.chars() {
        match character {
            ' ' => anchor.push('-'),
            '-' | '_' => anchor.push(character),
            _ if character.is_alphanumeric() => anchor.extend(character.to_lowercase()),
            _ => {}
        }
    }
    anchor
}

/// The targets of the links in a line outside of code.
fn targets(line: &str) -> Vec<String> {
    let text = without_code(line);
    let mut targets = Vec::new();
    if let Some((_, definition)) = text
        .strip_prefix('[')
        .and_then(|definition| definition.split_once("]: "))
    {
        targets.extend(definition.split_whitespace().next().map(str::to_owned));
    }
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("](") {
        let Some((inside, next)) = after.split_once(')') else {
            break;
        };
        // A title may follow the target.
        targets.extend(inside.split_whitespace().next().map(str::to_owned));
        rest = next;
    }
    targets
}

/// The line with its code spans removed. A span ends with as many backticks as it began with.
fn without_code(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let from_mark = &rest[start..];
        let after_mark = from_mark.trim_start_matches('`');
        let mark = &from_mark[..from_mark.len() - after_mark.len()];
        text.push_str(&rest[..start]);
        match after_mark.split_once(mark) {
            Some((_, after)) => rest = after,
            None => rest = after_mark,
        }
    }
    text.push_str(rest);
    text
}

/// Whether a target is an address on the web or for mail.
fn is_external(target: &str) -> bool {
    ["http://", "https://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
}

/// The path, relative to the root of the checkout, of a link's target; none if it is outside.
fn resolve(from: &Path, target: &str) -> Option<PathBuf> {
    let target = target.split('#').next()?;
    let mut path = from.parent()?.to_owned();
    for component in Path::new(target).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_where_people_write_them() {
        assert!(!is_built(Path::new("docs")) && !is_built(Path::new(".github")));
        assert!(
            is_built(Path::new("fuzz/target"))
                && is_built(Path::new("target-2"))
                && is_built(Path::new(".git"))
        );
        let paths = paths().unwrap();
        for document in [
            "README.md",
            "docs/syscalls.md",
            ".github/pull_request_template.md",
        ] {
            assert!(paths.iter().any(|path| path == Path::new(document)), "{document}");
        }
    }

    #[test]
    fn links_are_found_outside_of_code() {
        let document = Document::parse(
            "# Title\n[a](b.md) and ![i](i.png \"title\") and `[no](no.md)`, ``x ` [no](no.md)``\n\
             ```\n[no](no.md)\n# no\n```\n[r]: c.md#part\n",
        );
        let found: Vec<_> = document
            .links
            .iter()
            .map(|link| (link.line, link.target.as_str()))
            .collect();
        assert_eq!(found, [(2, "b.md"), (2, "i.png"), (7, "c.md#part")]);
        assert_eq!(document.anchors, BTreeSet::from(["title".to_owned()]));
    }

    #[test]
    fn anchors_are_those_of_github() {
        assert_eq!(anchor("Add a call, with `tests`!"), "add-a-call-with-tests");
        assert_eq!(anchor("snake_case and [a link](b.md)"), "snake_case-and-a-link");
        let document = Document::parse("## Same\n## Same\n### Same\n");
        let anchors: Vec<_> = document.anchors.iter().map(String::as_str).collect();
        assert_eq!(anchors, ["same", "same-1", "same-2"]);
    }

    #[test]
    fn a_target_is_relative_to_its_document() {
        let from = Path::new("docs/howto/a.md");
        assert_eq!(resolve(from, "../b.md#x"), Some(PathBuf::from("docs/b.md")));
        assert_eq!(resolve(from, "./c.md"), Some(PathBuf::from("docs/howto/c.md")));
        assert_eq!(resolve(from, "../../../d.md"), None);
        assert_eq!(resolve(from, "/etc/passwd"), None);
    }

    #[test]
    fn broken_links_are_told() {
        let documents = Documents(BTreeMap::from([
            (PathBuf::from("README.md"), Document::parse("# Here\n")),
            (PathBuf::from(SUMMARY), Document::parse("- [a](a.md)\n")),
            (PathBuf::from("docs/a.md"), Document::parse("")),
            (PathBuf::from("docs/b.md"), Document::parse("")),
        ]));
        let from = Path::new("README.md");
        assert_eq!(documents.check(from, "#here"), Ok(()));
        assert_eq!(documents.check(from, "https://example.org/nothing"), Ok(()));
        assert!(documents.check(from, "#there").is_err());
        assert!(documents.check(from, "no-such-file.md").is_err());
        assert!(documents.check(from, "../outside.md").is_err());
        let unlisted = documents.pages_not_in_summary();
        assert!(
            matches!(&unlisted[..], [page] if page.starts_with("docs/b.md")),
            "{unlisted:?}"
        );
    }
}
