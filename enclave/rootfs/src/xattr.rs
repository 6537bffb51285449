//! Extended attributes, which lie behind their inode.

use alloc::vec;
use alloc::vec::Vec;

use rootfs_format::erofs::{
    XATTR_ALIGN, XATTR_ENTRY_SIZE, XATTR_HEADER_SIZE, XATTR_PREFIXES, XattrEntry, XattrHeader,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::cache::{CacheSet, Lock};
use crate::{Erofs, Error, Inode, VerifiedBlocks};

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// The whole name, such as `security.capability`.
    pub name: Vec<u8>,
    /// The value, at most 65,535 bytes.
    pub value: Vec<u8>,
}

impl<B: VerifiedBlocks, L: Lock<CacheSet>> Erofs<B, L> {
    /// The value of the attribute with this name.
    pub fn xattr(&self, inode: &Inode, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let xattrs = self.xattrs(inode)?;
        Ok(xattrs
            .into_iter()
            .find(|xattr| xattr.name == name)
            .map(|xattr| xattr.value))
    }

    /// All attributes of the inode, in the order of the image. They are few and short as a rule, and 256 KiB at most.
    pub fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>, Error> {
        let mut found = Vec::new();
        let len = inode.xattrs.end.saturating_sub(inode.xattrs.start);
        if len == 0 {
            return Ok(found);
        }
        // Bounded by the 16-bit count of the inode, and checked to lie in the file system.
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| Error::OutOfRange)?];
        self.read_system(inode.xattrs.start, &mut bytes)?;
        let header = XattrHeader::read_from_prefix(bytes.as_bytes());
        let (header, _) = header.map_err(|_| Error::Corrupt("the header of extended attributes"))?;
        if header.shared_count != 0 {
            return Err(Error::Unsupported("shared extended attributes"));
        }
        let mut at = XATTR_HEADER_SIZE;
        while at < bytes.len() {
            let (xattr, next) = parse(&bytes, at).ok_or(Error::Corrupt("an extended attribute"))?;
            found.push(xattr);
            at = next;
        }
        Ok(found)
    }
}

/// The attribute at `at`, and where the next one begins.
fn parse(bytes: &[u8], at: usize) -> Option<(Xattr, usize)> {
    let (raw, _) = XattrEntry::read_from_prefix(bytes.get(at..)?).ok()?;
    let (_, prefix) = XATTR_PREFIXES
        .into_iter()
        .find(|(index, _)| *index == raw.name_index)?;
    let name_at = at.checked_add(XATTR_ENTRY_SIZE)?;
    let value_at = name_at.checked_add(usize::from(raw.name_len))?;
    let end = value_at.checked_add(usize::from(raw.value_len.get()))?;
    let xattr = Xattr {
        name: [prefix, bytes.get(name_at..value_at)?].concat(),
        value: bytes.get(value_at..end)?.to_vec(),
    };
    Some((xattr, end.checked_next_multiple_of(XATTR_ALIGN)?))
}
