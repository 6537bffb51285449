//! The packages that an image's package managers have installed.

use std::io::{self, Read};

use oci_image::{Kind, Limit, Tree};

use crate::{apk, dpkg};

/// Longest database that is read, in bytes: a full Debian desktop's has 6 MB.
const MAX_DATABASE_LEN: u64 = 64 << 20;

/// Whose package it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ecosystem {
    /// Alpine's apk.
    Apk,
    /// Debian's dpkg.
    Deb,
}

/// An installed package. Texts are as the database has them; what it does not say is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Whose it is.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The processor that it is for, as the ecosystem names it.
    pub architecture: String,
    /// The source package that it was built from, and its version.
    pub source: (String, String),
    /// Who maintains it.
    pub maintainer: String,
    /// Its licence, as the package says it.
    pub license: String,
    /// Its home page.
    pub homepage: String,
}

/// What `/etc/os-release` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `debian`, `alpine`.
    pub id: String,
    /// `12`, `3.20.1`.
    pub version: String,
}

/// What is in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The distribution that it is made of.
    pub distribution: Distribution,
    /// Sorted, each once.
    pub packages: Vec<Package>,
    /// Databases that are there and are not read.
    pub unread: Vec<&'static str>,
}

/// A database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// It is longer than any real one.
    #[error("the image's /{0} has {1} bytes, more than {MAX_DATABASE_LEN}")]
    TooLong(String, u64),
    /// A path leads in a circle.
    #[error("the image's /{0} cannot be looked up: {1}")]
    Path(String, #[source] Limit),
    /// A temporary file cannot be read.
    #[error("cannot read a temporary file")]
    Read(#[source] io::Error),
}

/// Where RPM has its database. Its forms (Berkeley DB, NDB, SQLite) have no well-kept reader that needs no C library.
const RPM: [&str; 2] = ["var/lib/rpm", "usr/lib/sysimage/rpm"];

impl Inventory {
    /// Reads the databases in an image.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn of(tree: &Tree) -> Result<Self, InventoryError> {
        let mut packages = Vec::new();
        if let Some(text) = text(tree, "var/lib/dpkg/status")? {
            packages.extend(dpkg::installed(&text));
        }
        // Distroless images have a file for each package.
        for name in names(tree, "var/lib/dpkg/status.d")? {
            // Beside it lie the digests of its files.
            if !name.ends_with(".md5sums")
                && let Some(text) = text(tree, &format!("var/lib/dpkg/status.d/{name}"))?
            {
                packages.extend(dpkg::described(&text));
            }
        }
        // Since apk 3 it may lie elsewhere.
        for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
            if let Some(text) = text(tree, path)? {
                packages.extend(apk::installed(&text));
            }
        }
        packages.sort();
        packages.dedup();
        let mut unread = Vec::new();
        for path in RPM {
            if !names(tree, path)?.is_empty() {
                unread.push(path);
            }
        }
        let mut distribution = Distribution::default();
        for path in ["usr/lib/os-release", "etc/os-release"] {
            if let Some(text) = text(tree, path)? {
                distribution = Distribution::parse(&text);
            }
        }
        Ok(Self {
            distribution,
            packages,
            unread,
        })
    }
}

/// The packages that a text has in either form of a database, for fuzzers.
pub fn parse(text: &str) -> Vec<Package> {
    dpkg::installed(text)
        .chain(dpkg::described(text))
        .chain(apk::installed(text))
        .collect()
}

impl Distribution {
    /// os-release(5): assignments as in a shell.
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        Self {
            id: value("ID").unwrap_or_default(),
            version: value("VERSION_ID").unwrap_or_default(),
        }
    }
}

fn find<'a>(tree: &'a Tree, path: &str) -> Result<Option<&'a Kind>, InventoryError> {
    let found = tree
        .follow(path.as_bytes())
        .map_err(|limit| InventoryError::Path(path.into(), limit))?;
    Ok(found.map(|id| &tree.inode(id).kind))
}

/// A text file's content; nothing if there is none. What is no UTF-8 is replaced.
fn text(tree: &Tree, path: &str) -> Result<Option<String>, InventoryError> {
    let Some(Kind::File(content)) = find(tree, path)? else {
        return Ok(None);
    };
    if content.len() > MAX_DATABASE_LEN {
        return Err(InventoryError::TooLong(path.into(), content.len()));
    }
    let mut bytes = Vec::new();
    tree.open(content)
        .read_to_end(&mut bytes)
        .map_err(InventoryError::Read)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The names in a directory; none if there is no such directory.
fn names(tree: &Tree, path: &str) -> Result<Vec<String>, InventoryError> {
    let Some(Kind::Directory(entries)) = find(tree, path)? else {
        return Ok(Vec::new());
    };
    let names = entries
        .keys()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_as_a_shell_would() {
        let text = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID='3.20.1'\n";
        let alpine = Distribution::parse(text);
        assert_eq!(
            (alpine.id.as_str(), alpine.version.as_str()),
            ("alpine", "3.20.1")
        );
        assert_eq!(Distribution::parse("ID_LIKE=debian\n"), Distribution::default());
    }
}
