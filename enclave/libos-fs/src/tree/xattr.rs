//! Extended attributes of inodes in memory.

use alloc::vec::Vec;

use kobject::{Errno, MutexGuard, Result};

use super::TreeInode;

/// The attributes of an inode: the image's until one is changed.
#[derive(Default)]
pub(super) struct Xattrs {
    /// In the order in which they were set; `None` as long as they are as in the image.
    own: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// How an attribute is set: XATTR_CREATE and XATTR_REPLACE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetXattr {
    /// Whether or not it is there.
    Any,
    /// EEXIST if it is there.
    Create,
    /// ENODATA if it is not.
    Replace,
}

impl TreeInode {
    /// The value of an attribute; ENODATA.
    pub(crate) fn xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        let all = self.xattrs()?;
        let found = all.into_iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value).ok_or(Errno::ENODATA)
    }

    /// All attributes, names and values.
    pub(crate) fn xattrs(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        if let Some(extra) = self.extra_if_made()
            && let Some(own) = &extra.xattrs.lock().own
        {
            return Ok(own.clone());
        }
        self.image_xattrs()
    }

    fn image_xattrs(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let Some(below) = &self.below else {
            return Ok(Vec::new());
        };
        let all = self.tree.image()?.xattrs(below)?;
        Ok(all.into_iter().map(|xattr| (xattr.name, xattr.value)).collect())
    }

    /// The attributes, to be changed.
    fn xattrs_mut(&self) -> Result<MutexGuard<'_, Xattrs>> {
        let mut xattrs = self.extra().xattrs.lock();
        if xattrs.own.is_none() {
            xattrs.own = Some(self.image_xattrs()?);
        }
        Ok(xattrs)
    }

    /// Sets an attribute.
    pub(crate) fn set_xattr(&self, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        let mut xattrs = self.xattrs_mut()?;
        let own = xattrs.own.get_or_insert_default();
        let place = own.iter_mut().find(|(known, _)| known == name);
        match (place, how) {
            (Some(_), SetXattr::Create) => return Err(Errno::EEXIST),
            (None, SetXattr::Replace) => return Err(Errno::ENODATA),
            (Some((_, known)), _) => *known = value.to_vec(),
            (None, _) => own.push((name.to_vec(), value.to_vec())),
        }
        drop(xattrs);
        self.touch_changed();
        Ok(())
    }

    /// Removes an attribute; ENODATA.
    pub(crate) fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        let mut xattrs = self.xattrs_mut()?;
        let own = xattrs.own.get_or_insert_default();
        let place = own
            .iter()
            .position(|(known, _)| known == name)
            .ok_or(Errno::ENODATA)?;
        own.remove(place);
        drop(xattrs);
        self.touch_changed();
        Ok(())
    }
}
