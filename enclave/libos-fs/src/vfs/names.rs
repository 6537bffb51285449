//! Names: made, removed, moved, linked.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::credentials::AccessMode;
use kobject::{Credentials, Errno, FileKind, Once, Result};
use linux_abi::file_system::PATH_MAX;
use linux_abi::stat::{S_IALLUGO, S_IFMT, S_IRWXUGO, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP};
use linux_abi::{AtFlags, Capabilities, RenameFlags};

use super::Vfs;
use crate::context::{At, Context};
use crate::dentry::Dentry;
use crate::inode::Head;
use crate::tree::{Body, Replace, Taken, Tree, TreeInode};
use crate::walk::{Last, Parent, Walk};

/// What makes a file a program that runs as its group; without the second bit S_ISGID means mandatory locks, which are none here.
const SET_GROUP_PROGRAM: u32 = S_ISGID | S_IXGRP;

/// What `mknod` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewNode {
    /// An empty file.
    Regular,
    /// A named pipe.
    Fifo,
    /// A socket that nobody listens on.
    Socket,
    /// A character device, by its number as st_rdev.
    CharDevice(u64),
    /// A block device, by its number as st_rdev.
    BlockDevice(u64),
}

impl NewNode {
    /// From the arguments of `mknod`: EPERM for a directory, EINVAL for what is nothing. `device` is packed as system calls pack it, which
    /// is as st_rdev has it.
    pub fn of_mode(mode: u32, device: u64) -> Result<Self> {
        if mode & S_IFMT == 0 {
            return Ok(Self::Regular);
        }
        match FileKind::of_mode(mode).ok_or(Errno::EINVAL)? {
            FileKind::Regular => Ok(Self::Regular),
            FileKind::Fifo => Ok(Self::Fifo),
            FileKind::Socket => Ok(Self::Socket),
            FileKind::CharDevice => Ok(Self::CharDevice(device)),
            FileKind::BlockDevice => Ok(Self::BlockDevice(device)),
            FileKind::Directory => Err(Errno::EPERM),
            FileKind::Symlink | FileKind::Anonymous => Err(Errno::EINVAL),
        }
    }

    fn body(self) -> Body {
        match self {
            Self::Regular => Body::Regular(crate::tree::Content::empty()),
            Self::Fifo => Body::Fifo(Once::new()),
            Self::Socket => Body::Socket(Box::default()),
            Self::CharDevice(number) => Body::CharDevice(number),
            Self::BlockDevice(number) => Body::BlockDevice(number),
        }
    }
}

/// Whose a new inode will be, and with which permission bits.
pub(super) struct Creation {
    permissions: u32,
    owner: (u32, u32),
    /// The directory hands its set-group-id bit down.
    inherits: bool,
}

impl Creation {
    /// In this directory, with this mode less the umask.
    pub(super) fn new(context: &Context, directory: &Head, mode: u32) -> Self {
        let credentials = &context.credentials;
        let inherits = directory.permissions() & S_ISGID != 0;
        let group = if inherits {
            directory.owner().1
        } else {
            credentials.fsgid()
        };
        let mut permissions = mode;
        // Nobody makes a program that runs as a group that he is not in.
        if permissions & SET_GROUP_PROGRAM == SET_GROUP_PROGRAM
            && !credentials.has(Capabilities::CAP_FSETID)
            && !credentials.in_group(group)
        {
            permissions &= !S_ISGID;
        }
        Self {
            permissions,
            owner: (credentials.fsuid(), group),
            inherits,
        }
    }

    pub(super) fn inode(&self, tree: &Arc<Tree>, body: Body) -> Result<Arc<TreeInode>> {
        let handed_down = self.inherits && body.kind() == FileKind::Directory;
        let permissions = self.permissions | if handed_down { S_ISGID } else { 0 };
        tree.new_inode(body, permissions, self.owner)
    }
}

/// EACCES unless names in the directory may change.
pub(super) fn check_parent(context: &Context, directory: &Head) -> Result<()> {
    directory.permits(
        &context.credentials,
        AccessMode(AccessMode::WRITE.0 | AccessMode::EXECUTE.0),
    )
}

/// What the removal of a name demands: EACCES, EPERM in a sticky directory, ENOTDIR or EISDIR if it is not the kind that is expected.
fn check_removal(
    context: &Context,
    directory: &Head,
    victim: &Dentry,
    expects_directory: Expects,
) -> Result<()> {
    check_parent(context, directory)?;
    check_sticky(&context.credentials, directory, victim.head())?;
    match (expects_directory, victim.head().is_directory()) {
        (Expects::Directory, false) => Err(Errno::ENOTDIR),
        (Expects::Other, true) => Err(Errno::EISDIR),
        _ => Ok(()),
    }
}

#[derive(Clone, Copy)]
enum Expects {
    Directory,
    Other,
}

impl Expects {
    fn same_as(dentry: &Dentry) -> Self {
        if dentry.head().is_directory() {
            Self::Directory
        } else {
            Self::Other
        }
    }
}

/// EPERM unless the file may get another name: nobody keeps a set-id program, or a file that he could not open, alive under a name
/// of his own (fs.protected_hardlinks, which distributions set).
fn check_link(credentials: &Credentials, head: &Head) -> Result<()> {
    let permissions = head.permissions();
    let open = AccessMode(AccessMode::READ.0 | AccessMode::WRITE.0);
    let is_safe = head.kind == FileKind::Regular
        && permissions & S_ISUID == 0
        && permissions & SET_GROUP_PROGRAM != SET_GROUP_PROGRAM
        && head.permits(credentials, open).is_ok();
    if is_safe {
        Ok(())
    } else {
        head.owned_by(credentials)
    }
}

fn check_sticky(credentials: &Credentials, directory: &Head, victim: &Head) -> Result<()> {
    let owns = |head: &Head| head.owner().0 == credentials.fsuid();
    if directory.permissions() & S_ISVTX == 0
        || credentials.has(Capabilities::CAP_FOWNER)
        || owns(victim)
        || owns(directory)
    {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

impl Vfs {
    /// Makes a name for what `make` makes; that it may is for `make` to check. `slash` says whether a slash may follow it.
    fn make(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        slash: Expects,
        make: impl FnOnce(&TreeInode) -> Result<Arc<TreeInode>>,
    ) -> Result<Arc<Dentry>> {
        let mut walk = Walk::new(context, at);
        let parent = walk.parent(path)?;
        let Last::Name(name) = parent.last else {
            return Err(Errno::EEXIST);
        };
        if parent.slash && matches!(slash, Expects::Other) {
            // What is there is EEXIST, and what is not cannot be made with a slash behind.
            walk.lookup(&parent.directory, name)?;
            return Err(Errno::EEXIST);
        }
        let Some(directory) = parent.directory.tree() else {
            walk.lookup(&parent.directory, name)?;
            return Err(Errno::EEXIST);
        };
        directory.add(&parent.directory, name, || make(directory))
    }

    /// `mkdir`, `mkdirat`.
    pub fn make_directory(&self, context: &Context, at: At<'_>, path: &[u8], mode: u32) -> Result<()> {
        let made = self.make(context, at, path, Expects::Directory, |directory| {
            check_parent(context, &directory.head)?;
            let creation = Creation::new(
                context,
                &directory.head,
                mode & (S_IRWXUGO | S_ISVTX) & !context.umask,
            );
            creation.inode(&directory.tree, Body::directory())
        });
        made.map(drop)
    }

    /// `mknod`, `mknodat`. `mode` counts for its permission bits.
    pub fn make_node(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        node: NewNode,
        mode: u32,
    ) -> Result<()> {
        self.make_node_at(context, at, path, node, mode).map(drop)
    }

    pub(super) fn make_node_at(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        node: NewNode,
        mode: u32,
    ) -> Result<Arc<Dentry>> {
        let is_device = matches!(node, NewNode::CharDevice(_) | NewNode::BlockDevice(_));
        self.make(context, at, path, Expects::Other, |directory| {
            check_parent(context, &directory.head)?;
            if is_device {
                context.credentials.require(Capabilities::CAP_MKNOD)?;
            }
            let creation = Creation::new(context, &directory.head, mode & S_IALLUGO & !context.umask);
            creation.inode(&directory.tree, node.body())
        })
    }

    /// `symlink`, `symlinkat`.
    pub fn make_symlink(&self, context: &Context, target: &[u8], at: At<'_>, path: &[u8]) -> Result<()> {
        match target.len() {
            0 => return Err(Errno::ENOENT),
            PATH_MAX.. => return Err(Errno::ENAMETOOLONG),
            _ => {}
        }
        let made = self.make(context, at, path, Expects::Other, |directory| {
            check_parent(context, &directory.head)?;
            let creation = Creation::new(context, &directory.head, S_IRWXUGO);
            creation.inode(&directory.tree, Body::Symlink(target.into()))
        });
        made.map(drop)
    }

    /// `link`, `linkat`.
    pub fn link(
        &self,
        context: &Context,
        (old_at, old_path): (At<'_>, &[u8]),
        (new_at, new_path): (At<'_>, &[u8]),
        flags: AtFlags,
    ) -> Result<()> {
        let mut find = flags & AtFlags::AT_EMPTY_PATH;
        if !flags.contains(AtFlags::AT_SYMLINK_FOLLOW) {
            find |= AtFlags::AT_SYMLINK_NOFOLLOW;
        }
        let old = self.locate(context, old_at, old_path, find)?;
        let made = self.make(context, new_at, new_path, Expects::Other, |directory| {
            if old.head().device != directory.head.device {
                return Err(Errno::EXDEV);
            }
            check_link(&context.credentials, old.head())?;
            check_parent(context, &directory.head)?;
            let inode = old.inode().clone() as Arc<dyn core::any::Any + Send + Sync>;
            let inode = inode.downcast::<TreeInode>().map_err(|_| Errno::EPERM)?;
            if inode.head.is_directory() {
                return Err(Errno::EPERM);
            }
            if inode.links() == 0 && !inode.is_linkable() {
                return Err(Errno::ENOENT);
            }
            Ok(inode)
        });
        made.map(drop)
    }

    /// `unlink`, `unlinkat`.
    pub fn unlink(&self, context: &Context, at: At<'_>, path: &[u8]) -> Result<()> {
        let mut walk = Walk::new(context, at);
        let parent = walk.parent(path)?;
        let Last::Name(name) = parent.last else {
            return Err(Errno::EISDIR);
        };
        if parent.slash {
            let found = walk.lookup(&parent.directory, name)?;
            return Err(if found.head().is_directory() {
                Errno::EISDIR
            } else {
                Errno::ENOTDIR
            });
        }
        self.remove(context, &walk, &parent, name, Expects::Other)
    }

    /// `rmdir`, `unlinkat` with AT_REMOVEDIR.
    pub fn remove_directory(&self, context: &Context, at: At<'_>, path: &[u8]) -> Result<()> {
        let mut walk = Walk::new(context, at);
        let parent = walk.parent(path)?;
        let name = match parent.last {
            Last::Name(name) => name,
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(Errno::EBUSY),
        };
        self.remove(context, &walk, &parent, name, Expects::Directory)
    }

    fn remove(
        &self,
        context: &Context,
        walk: &Walk<'_>,
        parent: &Parent<'_>,
        name: &[u8],
        expects: Expects,
    ) -> Result<()> {
        let Some(directory) = parent.directory.tree() else {
            walk.lookup(&parent.directory, name)?;
            return Err(Errno::EPERM);
        };
        directory.remove(&parent.directory, name, |victim| {
            check_removal(context, &directory.head, victim, expects)
        })
    }

    /// `rename`, `renameat`, `renameat2`.
    pub fn rename(
        &self,
        context: &Context,
        (old_at, old_path): (At<'_>, &[u8]),
        (new_at, new_path): (At<'_>, &[u8]),
        flags: RenameFlags,
    ) -> Result<()> {
        let replace = match (
            flags.contains(RenameFlags::RENAME_NOREPLACE),
            flags.contains(RenameFlags::RENAME_EXCHANGE),
        ) {
            (true, true) => return Err(Errno::EINVAL),
            (true, false) => Replace::No,
            (false, true) => Replace::Exchange,
            (false, false) => Replace::Yes,
        };
        let old = Walk::new(context, old_at).parent(old_path)?;
        let new = Walk::new(context, new_at).parent(new_path)?;
        if old.directory.head().device != new.directory.head().device {
            return Err(Errno::EXDEV);
        }
        let Last::Name(old_name) = old.last else {
            return Err(Errno::EBUSY);
        };
        let Last::Name(new_name) = new.last else {
            return Err(if replace == Replace::No {
                Errno::EEXIST
            } else {
                Errno::EBUSY
            });
        };
        let (from, to) = (old.directory.tree(), new.directory.tree());
        let (Some(from), Some(to)) = (from, to) else {
            return Err(Errno::EPERM);
        };
        let slashes = |source: &Dentry, target: Option<&Arc<Dentry>>| {
            let target_is_other = target.is_some_and(|target| !target.head().is_directory());
            if replace == Replace::Exchange && new.slash && target_is_other {
                return Err(Errno::ENOTDIR);
            }
            let other = !source.head().is_directory();
            if other && (old.slash || (new.slash && replace != Replace::Exchange)) {
                return Err(Errno::ENOTDIR);
            }
            Ok(())
        };
        let check = |source: &Arc<Dentry>, target: Option<&Arc<Dentry>>| {
            check_removal(context, &from.head, source, Expects::same_as(source))?;
            match (target, replace) {
                (None, _) => check_parent(context, &to.head)?,
                (Some(target), Replace::Exchange) => {
                    check_removal(context, &to.head, target, Expects::same_as(target))?;
                }
                (Some(target), _) => check_removal(context, &to.head, target, Expects::same_as(source))?,
            }
            if !Arc::ptr_eq(&old.directory, &new.directory) {
                // A directory's `..` changes.
                let exchanged = target.filter(|_| replace == Replace::Exchange);
                for moved in [Some(source), exchanged].into_iter().flatten() {
                    if moved.head().is_directory() {
                        moved.head().permits(&context.credentials, AccessMode::WRITE)?;
                    }
                }
            }
            Ok(())
        };
        let old = Taken {
            directory: &old.directory,
            name: old_name,
        };
        let new = Taken {
            directory: &new.directory,
            name: new_name,
        };
        from.tree.rename(old, new, replace, slashes, check)
    }

    /// `readlink`, `readlinkat`: an empty path means the open link itself.
    pub fn read_link(&self, context: &Context, at: At<'_>, path: &[u8]) -> Result<Vec<u8>> {
        let empty = path.is_empty();
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH;
        let flags = if matches!(at, At::Cwd) {
            AtFlags::AT_SYMLINK_NOFOLLOW
        } else {
            flags
        };
        let found = self.locate(context, at, path, flags)?;
        if found.head().kind != FileKind::Symlink {
            return Err(if empty { Errno::ENOENT } else { Errno::EINVAL });
        }
        found.inode().readlink(context)
    }

    /// A device's node, for `/dev`.
    pub(crate) fn make_device(&self, path: &[u8], number: u64) -> Result<()> {
        let node = NewNode::CharDevice(number);
        self.make_node(&self.root_context(), At::Cwd, path, node, 0o666)
    }
}
