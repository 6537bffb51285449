//! Attributes: asked for and changed.

use alloc::sync::Arc;

use kobject::credentials::AccessMode;
use kobject::{
    Attributes, Credentials, Description, Errno, FileKind, Result, SetIds, Stat, Timestamp, clock,
};
use linux_abi::file_system::{NAME_MAX, PIPEFS_MAGIC};
use linux_abi::stat::{S_IALLUGO, S_ISGID, S_ISUID, S_IXGRP, S_IXUGO};
use linux_abi::{AtFlags, Capabilities, InotifyMask, MountFlags, Seals};

use super::{Vfs, dentry_of, tree_of};
use crate::context::{At, Context};
use crate::dentry::Dentry;
use crate::inode::Head;
use crate::mounts::Mount;
use crate::notify;
use crate::open_file::OpenFile;
use crate::tree::TreeInode;

/// What `statfs` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystemStat {
    /// f_type
    pub magic: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks that there are.
    pub blocks: u64,
    /// Blocks that are free, for everybody.
    pub free_blocks: u64,
    /// Inodes that there may be.
    pub files: u64,
    /// Inodes that are free.
    pub free_files: u64,
    /// st_dev of it, which serves as its identity.
    pub device: u64,
    /// Longest name.
    pub name_max: u64,
    /// f_flags.
    pub flags: MountFlags,
}

/// Whom `chown` gives a file to; `None` stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// What `utimensat` sets a time to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The time it is (UTIME_NOW).
    Now,
    /// What it was (UTIME_OMIT).
    Omit,
    /// This.
    To(Timestamp),
}

impl Vfs {
    /// `stat`, `lstat`, `fstatat`, `statx`.
    pub fn stat(&self, context: &Context, at: At<'_>, path: &[u8], flags: AtFlags) -> Result<Stat> {
        self.locate(context, at, path, flags)?.inode().stat()
    }

    /// The mount that a path leads to, for `statx`.
    pub fn mount_of(&self, context: &Context, at: At<'_>, path: &[u8], flags: AtFlags) -> Result<Mount> {
        let found = self.locate(context, at, path, flags)?;
        let device = found.head().device;
        self.mounts
            .of_device(device)
            .or_else(|| self.mounts.of_device(self.root.head().device))
            .ok_or(Errno::ENOENT)
    }

    /// Whose program a file is by its set-user-ID and set-group-ID bits, where its file system heeds them (`bprm_fill_uid` of the kernel).
    pub fn set_ids(&self, stat: &Stat) -> SetIds {
        let heeds = self
            .mounts
            .of_device(stat.device)
            .is_some_and(|mount| mount.heeds_set_ids());
        let has = |bits: u32| heeds && stat.permissions & bits == bits;
        SetIds {
            user: has(S_ISUID).then_some(stat.uid),
            group: has(S_ISGID | S_IXGRP).then_some(stat.gid),
        }
    }

    /// `access`, `faccessat2`: `mode` has R_OK, W_OK and X_OK bits. By the real identities unless `credentials` says otherwise.
    pub fn access(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        mode: AccessMode,
        flags: AtFlags,
        credentials: &Arc<Credentials>,
    ) -> Result<()> {
        let context = Context {
            credentials: credentials.clone(),
            ..context.clone()
        };
        let found = self.locate(&context, at, path, flags)?;
        let head = found.head();
        if mode.0 == 0 {
            return Ok(());
        }
        head.permits(credentials, mode)?;
        if mode.0 & AccessMode::WRITE.0 != 0 && self.is_read_only(head.device) {
            return Err(Errno::EROFS);
        }
        Ok(())
    }

    /// Whether the mount of this st_dev is one that nothing can be written to.
    pub(super) fn is_read_only(&self, device: u64) -> bool {
        let mount = self.mounts.of_device(device);
        mount.is_some_and(|mount| mount.is_read_only())
    }

    /// `chmod`, `fchmod`, `fchmodat2`.
    pub fn change_mode(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        mode: u32,
        flags: AtFlags,
    ) -> Result<()> {
        let found = self.locate(context, at, path, flags)?;
        if found.head().kind == FileKind::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        let holder = Holder::of(&found)?;
        let (head, credentials) = (found.head(), &context.credentials);
        head.owned_by(credentials)?;
        let mut permissions = mode & S_IALLUGO;
        if !credentials.has(Capabilities::CAP_FSETID) && !credentials.in_group(head.owner().1) {
            permissions &= !S_ISGID;
        }
        let is_sealed = found
            .tree()
            .is_some_and(|inode| inode.seals().contains(Seals::F_SEAL_EXEC));
        if is_sealed && (permissions ^ head.permissions()) & S_IXUGO != 0 {
            return Err(Errno::EPERM);
        }
        holder.set_permissions(permissions);
        notify::used(&found, InotifyMask::IN_ATTRIB);
        Ok(())
    }

    /// `chown`, `lchown`, `fchown`, `fchownat`.
    pub fn change_owner(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        owner: Owner,
        flags: AtFlags,
    ) -> Result<()> {
        let found = self.locate(context, at, path, flags)?;
        let holder = Holder::of(&found)?;
        let head = found.head();
        let credentials = &context.credentials;
        let (uid, gid) = head.owner();
        if !credentials.has(Capabilities::CAP_CHOWN) {
            let owns = credentials.fsuid() == uid;
            let keeps_user = owner.uid.is_none_or(|new| owns && new == uid);
            let may_group = owner
                .gid
                .is_none_or(|new| owns && (new == gid || credentials.in_group(new)));
            if !keeps_user || !may_group {
                return Err(Errno::EPERM);
            }
        }
        let permissions = match head.is_directory() {
            true => head.permissions(),
            false => without_set_ids(head, credentials),
        };
        if permissions != head.permissions() {
            head.owned_by(credentials)?;
            holder.set_permissions(permissions);
        }
        holder.set_owner((owner.uid.unwrap_or(uid), owner.gid.unwrap_or(gid)));
        notify::used(&found, InotifyMask::IN_ATTRIB);
        Ok(())
    }

    /// `utimensat`, `futimens` and older calls: access and modification time.
    pub fn set_times(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        [accessed, modified]: [SetTime; 2],
        flags: AtFlags,
    ) -> Result<()> {
        let found = self.locate(context, at, path, flags)?;
        if (accessed, modified) == (SetTime::Omit, SetTime::Omit) {
            return Ok(());
        }
        let holder = Holder::of(&found)?;
        let (head, credentials) = (found.head(), &context.credentials);
        if head.owned_by(credentials).is_err() {
            // Who may write may say that it was now, but not that it was at some other time.
            if (accessed, modified) != (SetTime::Now, SetTime::Now) {
                return Err(Errno::EPERM);
            }
            head.permits(credentials, AccessMode::WRITE)?;
        }
        holder.set_times(accessed, modified);
        let event = match (accessed, modified) {
            (SetTime::Omit, _) => InotifyMask::IN_MODIFY,
            (_, SetTime::Omit) => InotifyMask::IN_ACCESS,
            _ => InotifyMask::IN_ATTRIB,
        };
        notify::used(&found, event);
        Ok(())
    }

    /// `statfs`.
    pub fn stat_file_system(&self, context: &Context, path: &[u8]) -> Result<FileSystemStat> {
        let found = self.locate(context, At::Cwd, path, AtFlags::empty())?;
        Ok(self.stat_file_system_of(found.head().device))
    }

    /// `fstatfs`.
    pub fn stat_file_system_at(&self, file: &Description) -> Result<FileSystemStat> {
        Ok(self.stat_file_system_of(dentry_of(file)?.head().device))
    }

    /// `ustat`: EINVAL for the number of a device that nothing is mounted from.
    pub fn stat_mounted(&self, device: u64) -> Result<FileSystemStat> {
        self.mounts.of_device(device).ok_or(Errno::EINVAL)?;
        Ok(self.stat_file_system_of(device))
    }

    fn stat_file_system_of(&self, device: u64) -> FileSystemStat {
        const BLOCK: u64 = 4096;
        // Objects that are of no file system are of one of their own.
        let mount = self.mounts.of_device(device);
        let in_memory = mount.as_ref().is_some_and(Mount::is_in_memory);
        let (limit, free) = if in_memory {
            (self.budget.limit(), self.budget.free())
        } else {
            (0, 0)
        };
        FileSystemStat {
            magic: mount.as_ref().map_or(PIPEFS_MAGIC, Mount::magic),
            block_size: BLOCK,
            blocks: limit / BLOCK,
            free_blocks: free / BLOCK,
            files: limit / 512,
            free_files: free / 512,
            device,
            name_max: NAME_MAX as u64,
            flags: mount.as_ref().map_or(MountFlags::empty(), Mount::statfs_flags),
        }
    }
}

/// What holds the attributes that change.
enum Holder<'a> {
    File(&'a TreeInode),
    Object(&'a Attributes),
}

impl<'a> Holder<'a> {
    /// EPERM for what nobody changes.
    fn of(found: &'a Dentry) -> Result<Self> {
        match found.inode().attributes() {
            Some(attributes) => Ok(Self::Object(attributes)),
            None => tree_of(found).map(Self::File),
        }
    }

    fn set_permissions(&self, permissions: u32) {
        match self {
            Self::File(inode) => {
                inode.head.set_permissions(permissions);
                inode.touch_changed();
            }
            Self::Object(attributes) => attributes.set_permissions(permissions),
        }
    }

    fn set_owner(&self, owner: (u32, u32)) {
        match self {
            Self::File(inode) => {
                inode.head.set_owner(owner);
                inode.touch_changed();
            }
            Self::Object(attributes) => attributes.set_owner(owner),
        }
    }

    fn set_times(&self, accessed: SetTime, modified: SetTime) {
        let now = match self {
            Self::File(inode) => inode.tree.now(),
            Self::Object(_) => clock::timestamp(),
        };
        let to = |set| match set {
            SetTime::Now => Some(now),
            SetTime::Omit => None,
            SetTime::To(time) => Some(time),
        };
        let (accessed, modified) = (to(accessed), to(modified));
        match self {
            Self::File(inode) => inode.set_times(|times| {
                times.accessed = accessed.unwrap_or(times.accessed);
                times.modified = modified.unwrap_or(times.modified);
                times.changed = now;
            }),
            Self::Object(attributes) => attributes.set_times(accessed, modified),
        }
    }
}

/// The permission bits of a file that changes hands, or is written to by somebody else: programs lose their set-id bits.
fn without_set_ids(head: &Head, credentials: &Credentials) -> u32 {
    let permissions = head.permissions();
    let group = head.owner().1;
    let runs_as_group = permissions & S_IXGRP != 0;
    let foreign = !credentials.has(Capabilities::CAP_FSETID) && !credentials.in_group(group);
    let group_bit = if runs_as_group || foreign { S_ISGID } else { 0 };
    permissions & !S_ISUID & !group_bit
}

/// A file's contents were changed by these identities (by a write or a truncation): a program that they may not make set-id loses its
/// set-id bits. To be called after `ftruncate`, `fallocate`, and
/// a write of at least a byte.
pub fn written_by(file: &Description, credentials: &Credentials) {
    if credentials.has(Capabilities::CAP_FSETID) {
        return;
    }
    let inode = file.object_as::<OpenFile>().and_then(|open| open.tree());
    if let Some(inode) = inode {
        strip_set_ids(inode, credentials);
    }
}

pub(super) fn strip_set_ids(inode: &TreeInode, credentials: &Credentials) {
    let head = &inode.head;
    let set_id = head.permissions() & (S_ISUID | S_ISGID) != 0;
    if set_id && head.kind == FileKind::Regular && !credentials.has(Capabilities::CAP_FSETID) {
        head.set_permissions(without_set_ids(head, credentials));
        inode.touch_changed();
    }
}
