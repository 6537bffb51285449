//! The contents of directories: blocks of sorted entries, names behind them.

use std::ops::Range;

use rootfs_format::BLOCK_SIZE;
use rootfs_format::erofs::{DIRECTORY_ENTRY_SIZE, DirectoryEntry, FileType, NAME_MAX, Nid};
use zerocopy::IntoBytes;

use crate::{Error, Kind, Source};

/// The entries of one directory in the order of the image, `.` and `..` among them.
pub(crate) struct Directory<'a> {
    entries: Vec<(&'a [u8], usize)>,
}

impl<'a> Directory<'a> {
    /// Directory `id` of `source`, which lies in `parent`.
    pub(crate) fn new(source: &'a impl Source, id: usize, parent: usize) -> Result<Self, Error> {
        let mut entries: Vec<_> = source.entries(id).collect();
        for (name, _) in &entries {
            let dots = matches!(*name, b"." | b"..");
            let long = name.is_empty() || name.len() > NAME_MAX;
            if dots || long || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
                let name = name.to_vec();
                return Err(Error::Name { directory: id, name });
            }
        }
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(Error::Unsorted(id));
        }
        entries.extend([(&b"."[..], id), (&b".."[..], parent)]);
        entries.sort_unstable();
        Ok(Self { entries })
    }

    /// Bytes of the directory: whole blocks, then one that ends with its last name.
    pub(crate) fn len(&self) -> u64 {
        let mut len = 0;
        let mut last = 0;
        for block in self.blocks() {
            len += BLOCK_SIZE as u64;
            last = self.used(&self.entries[block]);
        }
        len - (BLOCK_SIZE - last) as u64
    }

    /// The directory's bytes.
    pub(crate) fn encode(&self, source: &impl Source, nid: impl Fn(usize) -> Nid) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in self.blocks() {
            bytes.resize(bytes.len().next_multiple_of(BLOCK_SIZE), 0);
            let entries = &self.entries[block];
            let mut name_offset = entries.len() * DIRECTORY_ENTRY_SIZE;
            for (name, id) in entries {
                let raw = DirectoryEntry {
                    nid: nid(*id).0.into(),
                    name_offset: u16::try_from(name_offset).expect("a block has 4096 bytes").into(),
                    file_type: file_type(source.inode(*id).kind) as u8,
                    reserved: 0,
                };
                bytes.extend_from_slice(raw.as_bytes());
                name_offset += name.len();
            }
            entries.iter().for_each(|(name, _)| bytes.extend_from_slice(name));
        }
        bytes
    }

    /// Which entries go into which block: as many as fit.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let rest = self.entries.get(start..).filter(|rest| !rest.is_empty())?;
            let mut used = 0;
            let fitting = rest.iter().take_while(|(name, _)| {
                used += DIRECTORY_ENTRY_SIZE + name.len();
                used <= BLOCK_SIZE
            });
            let block = start..start + fitting.count();
            start = block.end;
            Some(block)
        })
    }

    fn used(&self, entries: &[(&[u8], usize)]) -> usize {
        entries
            .iter()
            .map(|(name, _)| DIRECTORY_ENTRY_SIZE + name.len())
            .sum()
    }
}

fn file_type(kind: Kind<'_>) -> FileType {
    match kind {
        Kind::File { .. } => FileType::Regular,
        Kind::Directory => FileType::Directory,
        Kind::CharDevice(_) => FileType::CharDevice,
        Kind::BlockDevice(_) => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
        Kind::Symlink(_) => FileType::Symlink,
    }
}
