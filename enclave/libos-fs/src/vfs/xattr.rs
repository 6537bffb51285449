//! Extended attributes (xattr(7)).
//!
//! Access control lists (`system.posix_acl_*`) are not supported: one that was stored but not obeyed would be worse than none. Those of
//! the image are not shown; its files have the permissions that their mode bits say.

use alloc::vec::Vec;

use kobject::credentials::AccessMode;
use kobject::{Errno, FileKind, Result};
use linux_abi::file_system::{XATTR_NAME_MAX, XATTR_SIZE_MAX};
use linux_abi::stat::S_ISVTX;
use linux_abi::{AtFlags, Capabilities, InotifyMask, XattrFlags};

use super::{Vfs, tree_of};
use crate::context::{At, Context};
use crate::inode::Head;
use crate::notify;
use crate::tree::SetXattr;

impl Vfs {
    /// `getxattr` and its kin: the value.
    pub fn xattr(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        name: &[u8],
        flags: AtFlags,
    ) -> Result<Vec<u8>> {
        check_length(name)?;
        let found = self.locate(context, at, path, flags)?;
        check_access(context, found.head(), name, AccessMode::READ)?;
        tree_of(&found).map_err(|_| Errno::EOPNOTSUPP)?.xattr(name)
    }

    /// `listxattr` and its kin: names, each with a NUL behind it.
    pub fn xattr_names(&self, context: &Context, at: At<'_>, path: &[u8], flags: AtFlags) -> Result<Vec<u8>> {
        let found = self.locate(context, at, path, flags)?;
        let Ok(inode) = tree_of(&found) else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for (name, _) in inode.xattrs()? {
            let hidden =
                name.starts_with(b"trusted.") && !context.credentials.has(Capabilities::CAP_SYS_ADMIN);
            if hidden || check_class(&name).is_err() {
                continue;
            }
            names.extend_from_slice(&name);
            names.push(0);
        }
        Ok(names)
    }

    /// `setxattr` and its kin.
    pub fn set_xattr(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        (name, value): (&[u8], &[u8]),
        how: XattrFlags,
        flags: AtFlags,
    ) -> Result<()> {
        check_length(name)?;
        if value.len() > XATTR_SIZE_MAX {
            return Err(Errno::E2BIG);
        }
        let how = match (
            how.contains(XattrFlags::XATTR_CREATE),
            how.contains(XattrFlags::XATTR_REPLACE),
        ) {
            (false, false) => SetXattr::Any,
            (true, false) => SetXattr::Create,
            (false, true) => SetXattr::Replace,
            (true, true) => return Err(Errno::EINVAL),
        };
        let found = self.locate(context, at, path, flags)?;
        check_access(context, found.head(), name, AccessMode::WRITE)?;
        tree_of(&found)
            .map_err(|_| Errno::EOPNOTSUPP)?
            .set_xattr(name, value, how)?;
        notify::used(&found, InotifyMask::IN_ATTRIB);
        Ok(())
    }

    /// `removexattr` and its kin.
    pub fn remove_xattr(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        name: &[u8],
        flags: AtFlags,
    ) -> Result<()> {
        check_length(name)?;
        let found = self.locate(context, at, path, flags)?;
        check_access(context, found.head(), name, AccessMode::WRITE)?;
        tree_of(&found)
            .map_err(|_| Errno::EOPNOTSUPP)?
            .remove_xattr(name)?;
        notify::used(&found, InotifyMask::IN_ATTRIB);
        Ok(())
    }
}

fn check_length(name: &[u8]) -> Result<()> {
    if name.is_empty() || name.len() > XATTR_NAME_MAX {
        Err(Errno::ERANGE)
    } else {
        Ok(())
    }
}

/// EOPNOTSUPP unless the name is of a class that is stored.
fn check_class(name: &[u8]) -> Result<()> {
    let classes: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
    match classes.iter().find(|class| name.starts_with(class)) {
        Some(class) if name.len() == class.len() => Err(Errno::EINVAL),
        Some(_) => Ok(()),
        None => Err(Errno::EOPNOTSUPP),
    }
}

/// What the class that a name begins with asks for (xattr_permission of the kernel), and that it is stored at all.
fn check_access(context: &Context, head: &Head, name: &[u8], mode: AccessMode) -> Result<()> {
    check_permission(context, head, name, mode)?;
    check_class(name)
}

fn check_permission(context: &Context, head: &Head, name: &[u8], mode: AccessMode) -> Result<()> {
    let credentials = &context.credentials;
    let writes = mode == AccessMode::WRITE;
    if name.starts_with(b"trusted.") {
        return match (credentials.has(Capabilities::CAP_SYS_ADMIN), writes) {
            (true, _) => Ok(()),
            (false, true) => Err(Errno::EPERM),
            (false, false) => Err(Errno::ENODATA),
        };
    }
    if name.starts_with(b"system.") {
        return Ok(());
    }
    if name.starts_with(b"security.") {
        let needed = match name {
            b"security.capability" => Capabilities::CAP_SETFCAP,
            _ => Capabilities::CAP_SYS_ADMIN,
        };
        return if writes {
            credentials.require(needed)
        } else {
            Ok(())
        };
    }
    if name.starts_with(b"user.") {
        if !matches!(head.kind, FileKind::Regular | FileKind::Directory) {
            return Err(if writes { Errno::EPERM } else { Errno::ENODATA });
        }
        // In a directory that all write to, attributes are the owner's.
        if writes && head.is_directory() && head.permissions() & S_ISVTX != 0 {
            head.owned_by(credentials)?;
        }
    }
    head.permits(credentials, mode)
}
