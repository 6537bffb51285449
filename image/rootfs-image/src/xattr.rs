//! Extended attributes as they stand behind their inode.

use rootfs_format::erofs::{
    NAME_MAX, XATTR_ALIGN, XATTR_HEADER_SIZE, XATTR_PREFIXES, XattrEntry, XattrHeader,
};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::{Error, Source};

/// The attributes of one inode, encoded; empty if it has none.
pub(crate) struct Xattrs {
    pub(crate) bytes: Vec<u8>,
}

impl Xattrs {
    /// The attributes of inode `id`. Those in a namespace that Linux does not have (macOS leaves some in archives) are
    /// given to `skipped`: no file system of Linux could hold them.
    pub(crate) fn new(
        source: &impl Source,
        id: usize,
        mut skipped: impl FnMut(&[u8]),
    ) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        for (name, value) in source.xattrs(id) {
            let Some((name_index, suffix)) = split(name) else {
                skipped(name);
                continue;
            };
            if bytes.is_empty() {
                let header = XattrHeader {
                    name_filter: U32::ZERO,
                    shared_count: 0,
                    reserved: [0; 7],
                };
                bytes.extend_from_slice(header.as_bytes());
            }
            if name.len() > NAME_MAX {
                return Err(Error::Xattr(id));
            }
            let name_len = suffix.len().try_into().map_err(|_| Error::Xattr(id))?;
            let value_len: u16 = value.len().try_into().map_err(|_| Error::Xattr(id))?;
            let entry = XattrEntry {
                name_len,
                name_index,
                value_len: value_len.into(),
            };
            bytes.extend_from_slice(entry.as_bytes());
            bytes.extend_from_slice(suffix);
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(XATTR_ALIGN), 0);
        }
        let xattrs = Self { bytes };
        if xattrs.words().is_some_and(|words| u16::try_from(words).is_ok()) {
            Ok(xattrs)
        } else {
            Err(Error::Xattr(id))
        }
    }

    /// The inode's count: 0, or 1 and the words behind the header.
    pub(crate) fn count(&self) -> u16 {
        self.words()
            .and_then(|words| words.try_into().ok())
            .expect("checked when it was made")
    }

    fn words(&self) -> Option<usize> {
        if self.bytes.is_empty() {
            return Some(0);
        }
        Some(1 + self.bytes.len().checked_sub(XATTR_HEADER_SIZE)? / XATTR_ALIGN)
    }
}

/// The number of the prefix and the rest of the name.
fn split(name: &[u8]) -> Option<(u8, &[u8])> {
    XATTR_PREFIXES.into_iter().find_map(|(index, prefix)| {
        let suffix = name.strip_prefix(prefix)?;
        // The prefixes with a final dot want a rest, the others are whole names.
        let namespace = prefix.ends_with(b".");
        (namespace != suffix.is_empty()).then_some((index, suffix))
    })
}
