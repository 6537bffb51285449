//! Paths as layers state them, taken apart before the tree is touched.

use super::build::EntryError;
use super::limits::{Limit, NAME_MAX, PATH_MAX};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Other names that begin so are bookkeeping of aufs, which old images may hold.
const AUFS: &[u8] = b".wh..wh.";

/// What an entry of a layer is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    /// The root directory itself.
    Root,
    /// This name in the directory `parent`.
    Name { parent: Vec<&'a [u8]>, name: &'a [u8] },
    /// Hide this name of the lower layers.
    Whiteout { parent: Vec<&'a [u8]>, name: &'a [u8] },
    /// Hide all that the lower layers have in the directory.
    Opaque { directory: Vec<&'a [u8]> },
    /// Nothing of the file system.
    Bookkeeping,
}

/// The names of a path below the root. `.`, empty names and `name/..` go away, as in Go's `path.Clean`; a path
/// that would leave the root is refused.
pub(super) fn names(path: &[u8]) -> Result<Vec<&[u8]>, EntryError> {
    if path.len() >= PATH_MAX {
        return Err(Limit::Path.into());
    }
    let mut names = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop().ok_or(EntryError::LeavesRoot)?),
            name if name.len() > NAME_MAX => return Err(Limit::Name.into()),
            name => names.push(name),
        }
    }
    Ok(names)
}

/// Tells files from whiteouts.
pub(super) fn subject(path: &[u8]) -> Result<Subject<'_>, EntryError> {
    let mut parent = names(path)?;
    let Some(name) = parent.pop() else {
        return Ok(Subject::Root);
    };
    if parent.first().is_some_and(|first| first.starts_with(AUFS)) {
        return Ok(Subject::Bookkeeping);
    }
    if parent.iter().any(|name| name.starts_with(WHITEOUT)) {
        return Err(EntryError::BadWhiteout);
    }
    if name == OPAQUE {
        return Ok(Subject::Opaque { directory: parent });
    }
    if name.starts_with(AUFS) {
        return Ok(Subject::Bookkeeping);
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(Subject::Name { parent, name }),
        Some(b"" | b"." | b"..") => Err(EntryError::BadWhiteout),
        Some(name) => Ok(Subject::Whiteout { parent, name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subjects() {
        let a: &[u8] = b"a";
        assert_eq!(subject(b"./").unwrap(), Subject::Root);
        assert_eq!(subject(b"").unwrap(), Subject::Root);
        assert_eq!(
            subject(b"/a//./b/").unwrap(),
            Subject::Name {
                parent: vec![a],
                name: b"b"
            }
        );
        assert_eq!(
            subject(b"a/x/../b").unwrap(),
            Subject::Name {
                parent: vec![a],
                name: b"b"
            }
        );
        assert_eq!(
            subject(b"a/.wh.b").unwrap(),
            Subject::Whiteout {
                parent: vec![a],
                name: b"b"
            }
        );
        assert_eq!(
            subject(b"a/.wh..wh..opq").unwrap(),
            Subject::Opaque { directory: vec![a] }
        );
        assert_eq!(
            subject(b".wh..wh..opq").unwrap(),
            Subject::Opaque { directory: vec![] }
        );
        assert_eq!(subject(b".wh..wh.plnk/1.2").unwrap(), Subject::Bookkeeping);
        assert_eq!(subject(b".wh..wh.aufs").unwrap(), Subject::Bookkeeping);
        assert!(matches!(subject(b"../a"), Err(EntryError::LeavesRoot)));
        assert!(matches!(subject(b"a/../../a"), Err(EntryError::LeavesRoot)));
        for bad in [&b".wh."[..], b"a/.wh..", b"a/.wh...", b".wh.a/b"] {
            assert!(
                matches!(subject(bad), Err(EntryError::BadWhiteout)),
                "{}",
                bad.escape_ascii()
            );
        }
        assert!(matches!(
            subject(&[b'a'; 256]),
            Err(EntryError::Limit(Limit::Name))
        ));
        assert!(matches!(
            subject(&b"a/".repeat(2048)),
            Err(EntryError::Limit(Limit::Path))
        ));
    }

    proptest! {
        #[test]
        fn names_are_plain(path in prop::collection::vec(prop::sample::select(b"/./a\xff".to_vec()), 0..40)) {
            if let Ok(names) = names(&path) {
                for name in &names {
                    prop_assert!(!name.is_empty() && !name.contains(&b'/') && *name != b"." && *name != b"..");
                }
                // Cleaning a clean path changes nothing.
                let clean = names.join(&b'/');
                prop_assert_eq!(super::names(&clean).unwrap(), names);
            }
        }
    }
}
