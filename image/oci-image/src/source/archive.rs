//! A tar archive as a set of files, found by the archive's headers without reading contents.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};

use super::SourceProblem;
use crate::blob::Blob;
use crate::compression::{Compression, Decoder};
use crate::tar::{EntryKind, Reader};

/// Bounds for hostile archives: image archives have a few members per layer.
const MAX_MEMBERS: usize = 1 << 16;
const MAX_NAME_LEN: usize = 1024;
const MAX_LINKS: usize = 8;
/// Bytes that a compressed archive may unpack to.
const MAX_UNPACKED_LEN: u64 = 1 << 40;

pub(super) struct Archive {
    members: HashMap<Vec<u8>, Member>,
}

enum Member {
    File(Blob),
    /// Old versions of `docker save` store a layer that several images share once, and links to it.
    Link(Vec<u8>),
}

impl Archive {
    pub(super) fn open(blob: Blob) -> Result<Self, SourceProblem> {
        let read_failed = |error| SourceProblem::Read {
            what: "the archive",
            error,
        };
        let compression = Compression::detect(&blob.first().map_err(read_failed)?)?;
        match compression {
            Compression::None => Self::index(&blob),
            _ => {
                let dir = std::env::temp_dir();
                let unpacked =
                    unpack(&blob, compression).map_err(|error| SourceProblem::Unpack { dir, error })?;
                Self::index(&unpacked)
            }
        }
    }

    fn index(blob: &Blob) -> Result<Self, SourceProblem> {
        let mut members = HashMap::new();
        let mut reader = Reader::new(blob.reader());
        while let Some(entry) = reader.next_entry()? {
            let name = clean(&entry.path);
            let member = match entry.kind {
                EntryKind::File(file) if file.extents.is_none() => {
                    let blob = blob.slice(file.offset, file.len);
                    Member::File(blob.ok_or(crate::tar::TarError::Truncated(file.offset))?)
                }
                EntryKind::HardLink(target) => Member::Link(clean(&target)),
                EntryKind::Symlink(target) => {
                    let dir = entry
                        .path
                        .rsplitn(2, |&byte| byte == b'/')
                        .nth(1)
                        .unwrap_or_default();
                    Member::Link(clean(&[dir, b"/", &target].concat()))
                }
                _ => continue,
            };
            if members.len() >= MAX_MEMBERS || name.len() > MAX_NAME_LEN {
                return Err(SourceProblem::Hostile("it has too many files, or too long names"));
            }
            members.insert(name, member);
        }
        Ok(Self { members })
    }

    pub(super) fn file(&self, name: &str) -> Option<Blob> {
        let mut member = self.members.get(&clean(name.as_bytes()))?;
        for _ in 0..MAX_LINKS {
            match member {
                Member::File(blob) => return Some(blob.clone()),
                Member::Link(target) => member = self.members.get(target)?,
            }
        }
        None
    }
}

/// `./a//b/../c` is `a/c`.
fn clean(path: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// Decompresses to a temporary file without a name, so that it can be read by offset.
fn unpack(blob: &Blob, compression: Compression) -> io::Result<Blob> {
    let mut file: File = tempfile::tempfile()?;
    let input = BufReader::with_capacity(256 << 10, blob.reader());
    let mut unpacked = Decoder::new(compression, input)?.take(MAX_UNPACKED_LEN);
    let mut buffer = BufReader::with_capacity(256 << 10, &mut unpacked);
    let len = io::copy(&mut buffer, &mut file)?;
    if len == MAX_UNPACKED_LEN {
        return Err(io::Error::other("it is larger than 1 TiB"));
    }
    Ok(Blob::from_file(file, blob.path(), len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned() {
        assert_eq!(clean(b"./a//b/../c/"), b"a/c");
        assert_eq!(clean(b"/../../x"), b"x");
        assert_eq!(clean(b""), b"");
    }
}
