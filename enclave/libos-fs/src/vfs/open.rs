//! `open`, `openat2`, and what is left to do with what is open.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use kobject::credentials::AccessMode;
use kobject::{Description, Errno, FileKind, Result, StatusFlags};

use super::attributes::strip_set_ids;
use super::names::{Creation, check_parent};
use super::{Vfs, open_dentry, regular_of};
use crate::context::{At, Context, Resolve};
use crate::dentry::Dentry;
use crate::open_file::OpenFile;
use crate::tree::{Body, Content};
use crate::walk::{Entered, Follow, Last, Parent, Walk, is_link};

bitflags::bitflags! {
    /// How a file is opened: Linux's O_ bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        /// O_WRONLY
        const WRITE_ONLY = 0o1;
        /// O_RDWR
        const READ_WRITE = 0o2;
        /// O_CREAT
        const CREATE = 0o100;
        /// O_EXCL
        const EXCLUSIVE = 0o200;
        /// O_NOCTTY
        const NO_TERMINAL = 0o400;
        /// O_TRUNC
        const TRUNCATE = 0o1000;
        /// O_APPEND
        const APPEND = 0o2000;
        /// O_NONBLOCK
        const NONBLOCK = 0o4000;
        /// O_DSYNC
        const DSYNC = 0o10000;
        /// FASYNC
        const ASYNC = 0o20000;
        /// O_DIRECT
        const DIRECT = 0o40000;
        /// O_LARGEFILE
        const LARGE_FILE = 0o100000;
        /// O_DIRECTORY
        const DIRECTORY = 0o200000;
        /// O_NOFOLLOW
        const NO_FOLLOW = 0o400000;
        /// O_NOATIME
        const NO_ATIME = 0o1000000;
        /// O_CLOEXEC
        const CLOSE_ON_EXEC = 0o2000000;
        /// __O_SYNC
        const SYNC = 0o4000000;
        /// O_PATH
        const PATH = 0o10000000;
        /// __O_TMPFILE
        const TEMPORARY = 0o20000000;
    }
}

impl OpenFlags {
    /// What counts next to O_PATH.
    const WITH_PATH: Self = Self::PATH
        .union(Self::DIRECTORY)
        .union(Self::NO_FOLLOW)
        .union(Self::CLOSE_ON_EXEC);

    /// What an open file does not remember.
    const FORGOTTEN: Self = Self::CREATE
        .union(Self::EXCLUSIVE)
        .union(Self::NO_TERMINAL)
        .union(Self::TRUNCATE)
        .union(Self::CLOSE_ON_EXEC);

    fn status(self) -> StatusFlags {
        StatusFlags::from_bits_retain((self - Self::FORGOTTEN).bits())
    }

    /// What has to be permitted: of the file, O_TRUNC being a write.
    fn access(self) -> AccessMode {
        AccessMode(match self.bits() & 3 {
            0 if self.contains(Self::TRUNCATE) => 6,
            0 => 4,
            1 => 2,
            _ => 6,
        })
    }

    fn writes(self) -> bool {
        self.bits() & 3 != 0 || self.contains(Self::TRUNCATE)
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHow {
    flags: OpenFlags,
    /// Permission bits of a new file, before the umask.
    mode: u32,
    resolve: Resolve,
}

impl OpenHow {
    /// As `open` takes it: bits that mean nothing are ignored. EINVAL for flags that exclude each other.
    pub fn open(flags: u32, mode: u32) -> Result<Self> {
        let mut flags = OpenFlags::from_bits_truncate(flags) | OpenFlags::LARGE_FILE;
        if flags.contains(OpenFlags::PATH) {
            flags &= OpenFlags::WITH_PATH;
        }
        let makes = flags.intersects(OpenFlags::CREATE | OpenFlags::TEMPORARY);
        let mode = if makes { mode & 0o7777 } else { 0 };
        Self::checked(flags, mode, Resolve::empty())
    }

    /// As `openat2` takes it: EINVAL for bits that mean nothing, EAGAIN for what is never done without asking the disk.
    pub fn open2(flags: u64, mode: u64, resolve: u64) -> Result<Self> {
        let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
        let mut flags = OpenFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
        let resolve = Resolve::from_bits(resolve).ok_or(Errno::EINVAL)?;
        let makes = flags.intersects(OpenFlags::CREATE | OpenFlags::TEMPORARY);
        if mode & !0o7777 != 0
            || (mode != 0 && !makes)
            || resolve.contains(Resolve::BENEATH | Resolve::IN_ROOT)
        {
            return Err(Errno::EINVAL);
        }
        if flags.contains(OpenFlags::PATH) {
            if !OpenFlags::WITH_PATH.contains(flags) {
                return Err(Errno::EINVAL);
            }
        } else {
            flags |= OpenFlags::LARGE_FILE;
        }
        if resolve.contains(Resolve::CACHED)
            && flags.intersects(OpenFlags::TRUNCATE | OpenFlags::CREATE | OpenFlags::TEMPORARY)
        {
            return Err(Errno::EAGAIN);
        }
        Self::checked(flags, mode as u32, resolve)
    }

    fn checked(flags: OpenFlags, mode: u32, resolve: Resolve) -> Result<Self> {
        let temporary = flags.contains(OpenFlags::TEMPORARY);
        let no_use = temporary && (flags.bits() & 3 == 0 || !flags.contains(OpenFlags::DIRECTORY));
        if no_use
            || (flags.contains(OpenFlags::CREATE)
                && flags.intersects(OpenFlags::DIRECTORY | OpenFlags::TEMPORARY))
        {
            return Err(Errno::EINVAL);
        }
        Ok(Self { flags, mode, resolve })
    }

    /// The flags.
    pub fn flags(&self) -> OpenFlags {
        self.flags
    }
}

/// F_SEAL_SEAL
pub(super) const SEAL_SEAL: u32 = 0x1;
/// F_SEAL_WRITE
const SEAL_WRITE: u32 = 0x8;
/// All F_SEAL bits but F_SEAL_EXEC.
const SEALS: u32 = 0x1f;

/// What a path that is to be opened led to.
enum Opened {
    /// It was there.
    Found(Arc<Dentry>),
    /// It was made now.
    Made(Arc<Dentry>),
}

impl Vfs {
    /// `open`, `openat`, `openat2`. The caller keeps O_CLOEXEC with the descriptor.
    pub fn open(&self, context: &Context, at: At<'_>, path: &[u8], how: OpenHow) -> Result<Arc<Description>> {
        let mut walk = Walk::within(context, at, how.resolve)?;
        let start = walk.start(path)?;
        if how.flags.contains(OpenFlags::TEMPORARY) {
            let follow = match how.flags.contains(OpenFlags::NO_FOLLOW) {
                true => Follow::No,
                false => Follow::Yes,
            };
            let directory = walk.resolve(path, follow)?;
            return self.open_temporary(context, &directory, how);
        }
        let (dentry, made) = match self.find_or_make(&mut walk, start, path, how)? {
            Opened::Found(dentry) => (dentry, false),
            Opened::Made(dentry) => (dentry, true),
        };
        if !made {
            check_found(context, &dentry, how.flags)?;
        }
        self.describe(context, &dentry, how.flags, made)
    }

    /// Opens what is known already, as the path walk has found it: an executable, for instance.
    pub fn open_place(
        &self,
        context: &Context,
        place: &Arc<Dentry>,
        how: OpenHow,
    ) -> Result<Arc<Description>> {
        check_found(context, place, how.flags)?;
        self.describe(context, place, how.flags, false)
    }

    fn describe(
        &self,
        context: &Context,
        dentry: &Arc<Dentry>,
        flags: OpenFlags,
        made: bool,
    ) -> Result<Arc<Description>> {
        let status = flags.status();
        let object = open_dentry(&self.system, dentry, status)?;
        if flags.contains(OpenFlags::TRUNCATE)
            && !made
            && dentry.head().kind == FileKind::Regular
            && let Some(inode) = dentry.tree()
        {
            inode.truncate(0)?;
            strip_set_ids(inode, &context.credentials);
        }
        // What is of a file system knows its path itself.
        let own = object.as_any().is::<OpenFile>();
        let path = if own { Vec::new() } else { dentry.whole_path() };
        Ok(Description::new(object, status, &path))
    }

    fn find_or_make(
        &self,
        walk: &mut Walk<'_>,
        start: Arc<Dentry>,
        path: &[u8],
        how: OpenHow,
    ) -> Result<Opened> {
        let OpenHow { flags, .. } = how;
        let parent = walk.parent_from(start, path)?;
        let create = flags.contains(OpenFlags::CREATE);
        let Last::Name(name) = parent.last else {
            return match (create, flags.contains(OpenFlags::EXCLUSIVE)) {
                (true, true) => Err(Errno::EEXIST),
                (true, false) => Err(Errno::EISDIR),
                _ => walk.last(&parent).map(Opened::Found),
            };
        };
        if create && parent.slash {
            return Err(Errno::EISDIR);
        }
        let found = match walk.lookup(&parent.directory, name) {
            Err(Errno::ENOENT) if create => match self.make_file(walk.context, &parent, name, how) {
                // Somebody else was faster.
                Err(Errno::EEXIST) => walk.lookup(&parent.directory, name)?,
                made => return made.map(Opened::Made),
            },
            found => found?,
        };
        if create && flags.contains(OpenFlags::EXCLUSIVE) {
            return Err(Errno::EEXIST);
        }
        let mut found = found;
        if is_link(&found) && (parent.slash || !flags.contains(OpenFlags::NO_FOLLOW)) {
            found = match walk.enter(&parent.directory, &found)? {
                Entered::Jump(target) => target,
                Entered::Path(start, path) if !parent.slash => {
                    return self.find_or_make(walk, start, &path, how);
                }
                Entered::Path(start, path) => walk.resolve_from(start, &path, Follow::Yes)?,
            };
        }
        if (parent.slash || flags.contains(OpenFlags::DIRECTORY)) && !found.head().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(Opened::Found(found))
    }

    fn make_file(
        &self,
        context: &Context,
        parent: &Parent<'_>,
        name: &[u8],
        how: OpenHow,
    ) -> Result<Arc<Dentry>> {
        let directory = parent.directory.tree().ok_or(Errno::EACCES)?;
        let creation = Creation::new(context, &directory.head, how.mode & !context.umask);
        directory.add(&parent.directory, name, || {
            check_parent(context, &directory.head)?;
            creation.inode(&directory.tree, Body::Regular(Content::empty()))
        })
    }

    fn open_temporary(
        &self,
        context: &Context,
        directory: &Arc<Dentry>,
        how: OpenHow,
    ) -> Result<Arc<Description>> {
        if !directory.head().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        check_parent(context, directory.head())?;
        let tree = directory.tree().ok_or(Errno::EOPNOTSUPP)?;
        let creation = Creation::new(context, &tree.head, how.mode & !context.umask);
        let inode = creation.inode(&tree.tree, Body::Regular(Content::empty()))?;
        if !how.flags.contains(OpenFlags::EXCLUSIVE) {
            inode.set_linkable();
        }
        let name = alloc::format!("#{}", inode.head.number);
        let dentry = Dentry::nameless(inode, directory, name.as_bytes());
        self.describe(context, &dentry, how.flags - OpenFlags::TRUNCATE, true)
    }

    /// F_ADD_SEALS: EPERM, EINVAL, EBUSY for F_SEAL_WRITE while it is mapped shared.
    pub fn add_seals(&self, file: &Description, seals: u32) -> Result<()> {
        if !file.flags().writable() {
            return Err(Errno::EPERM);
        }
        if seals & !SEALS != 0 {
            return Err(Errno::EINVAL);
        }
        let known = sealable(file)?;
        let inode = file.object_as::<OpenFile>().and_then(OpenFile::tree);
        // A mapping that is shared could write on. One that only reads counts as well: nobody knows that here.
        if seals & SEAL_WRITE != 0 && inode.is_some_and(|inode| inode.shared().is_some()) {
            return Err(Errno::EBUSY);
        }
        let add = |known: u32| (known & SEAL_SEAL == 0).then_some(known | seals);
        known
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add)
            .map(drop)
            .map_err(|_| Errno::EPERM)
    }

    /// F_GET_SEALS: EINVAL for what cannot have any.
    pub fn seals(&self, file: &Description) -> Result<u32> {
        Ok(sealable(file)?.load(Ordering::Acquire))
    }

    /// `truncate`.
    pub fn truncate(&self, context: &Context, path: &[u8], len: u64) -> Result<()> {
        let found = Walk::new(context, At::Cwd).resolve(path, Follow::Yes)?;
        let inode = regular_of(&found)?;
        inode.head.permits(&context.credentials, AccessMode::WRITE)?;
        inode.truncate(len)?;
        strip_set_ids(inode, &context.credentials);
        Ok(())
    }
}

fn sealable(file: &Description) -> Result<&AtomicU32> {
    let inode = file.object_as::<OpenFile>().and_then(|open| open.tree());
    let extra = inode.and_then(|inode| inode.extra_if_made());
    extra.and_then(|extra| extra.seals.as_ref()).ok_or(Errno::EINVAL)
}

/// What `open` demands of what was there (may_open of the kernel).
fn check_found(context: &Context, found: &Dentry, flags: OpenFlags) -> Result<()> {
    let head = found.head();
    if flags.contains(OpenFlags::CREATE) && head.is_directory() {
        return Err(Errno::EISDIR);
    }
    if flags.contains(OpenFlags::DIRECTORY) && !head.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if flags.contains(OpenFlags::PATH) {
        return Ok(());
    }
    match head.kind {
        FileKind::Symlink => return Err(Errno::ELOOP),
        FileKind::Directory if flags.writes() => return Err(Errno::EISDIR),
        _ => {}
    }
    head.permits(&context.credentials, flags.access())?;
    if flags.contains(OpenFlags::NO_ATIME) {
        head.owned_by(&context.credentials)?;
    }
    Ok(())
}
