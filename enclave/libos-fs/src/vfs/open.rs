//! `open`, `openat2`, and what is left to do with what is open.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use kobject::credentials::AccessMode;
use kobject::{Description, Errno, FileKind, Observer, Result};
use linux_abi::stat::{S_IALLUGO, S_IXUGO};
use linux_abi::{AtFlags, Capabilities, InotifyMask, OpenFlags, ResolveFlags, Seals};

use super::attributes::strip_set_ids;
use super::names::{Creation, check_parent};
use super::{Vfs, open_dentry, regular_of};
use crate::context::{At, Context};
use crate::dentry::Dentry;
use crate::leases::Lease;
use crate::notify;
use crate::open_file::OpenFile;
use crate::tree::{Body, Content, TreeInode};
use crate::walk::{Entered, Follow, Last, Parent, Walk, is_link};

/// What counts next to O_PATH.
const WITH_PATH: OpenFlags = OpenFlags::O_PATH
    .union(OpenFlags::O_DIRECTORY)
    .union(OpenFlags::O_NOFOLLOW)
    .union(OpenFlags::O_CLOEXEC);

/// What an open file does not remember.
const FORGOTTEN: OpenFlags = OpenFlags::O_CREAT
    .union(OpenFlags::O_EXCL)
    .union(OpenFlags::O_NOCTTY)
    .union(OpenFlags::O_TRUNC)
    .union(OpenFlags::O_CLOEXEC);

/// What has to be permitted: of the file, O_TRUNC being a write.
fn access(flags: OpenFlags) -> AccessMode {
    match flags & OpenFlags::O_ACCMODE {
        OpenFlags::O_WRONLY => AccessMode::WRITE,
        mode if mode.is_empty() && !flags.contains(OpenFlags::O_TRUNC) => AccessMode::READ,
        _ => AccessMode::READ_WRITE,
    }
}

fn writes(flags: OpenFlags) -> bool {
    flags.intersects(OpenFlags::O_ACCMODE | OpenFlags::O_TRUNC)
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHow {
    flags: OpenFlags,
    /// Permission bits of a new file, before the umask.
    mode: u32,
    resolve: ResolveFlags,
}

impl OpenHow {
    /// As `open` takes it: bits that mean nothing are ignored. EINVAL for flags that exclude each other.
    pub fn open(flags: u32, mode: u32) -> Result<Self> {
        let mut flags = OpenFlags::from_bits_truncate(flags) | OpenFlags::O_LARGEFILE;
        if flags.contains(OpenFlags::O_PATH) {
            flags &= WITH_PATH;
        }
        let makes = flags.intersects(OpenFlags::O_CREAT | OpenFlags::__O_TMPFILE);
        let mode = if makes { mode & S_IALLUGO } else { 0 };
        Self::checked(flags, mode, ResolveFlags::empty())
    }

    /// As `openat2` takes it: EINVAL for bits that mean nothing, EAGAIN for what is never done without asking the disk.
    pub fn open2(flags: u64, mode: u64, resolve: u64) -> Result<Self> {
        let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
        let mut flags = OpenFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
        let resolve = ResolveFlags::from_bits(resolve).ok_or(Errno::EINVAL)?;
        let makes = flags.intersects(OpenFlags::O_CREAT | OpenFlags::__O_TMPFILE);
        if mode & !u64::from(S_IALLUGO) != 0
            || (mode != 0 && !makes)
            || resolve.contains(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT)
        {
            return Err(Errno::EINVAL);
        }
        if flags.contains(OpenFlags::O_PATH) {
            if !WITH_PATH.contains(flags) {
                return Err(Errno::EINVAL);
            }
        } else {
            flags |= OpenFlags::O_LARGEFILE;
        }
        if resolve.contains(ResolveFlags::RESOLVE_CACHED)
            && flags.intersects(OpenFlags::O_TRUNC | OpenFlags::O_CREAT | OpenFlags::__O_TMPFILE)
        {
            return Err(Errno::EAGAIN);
        }
        Self::checked(flags, mode as u32, resolve)
    }

    fn checked(flags: OpenFlags, mode: u32, resolve: ResolveFlags) -> Result<Self> {
        let temporary = flags.contains(OpenFlags::__O_TMPFILE);
        let no_use =
            temporary && (!flags.intersects(OpenFlags::O_ACCMODE) || !flags.contains(OpenFlags::O_DIRECTORY));
        if no_use
            || (flags.contains(OpenFlags::O_CREAT)
                && flags.intersects(OpenFlags::O_DIRECTORY | OpenFlags::__O_TMPFILE))
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
        if how.flags.contains(OpenFlags::__O_TMPFILE) {
            let follow = match how.flags.contains(OpenFlags::O_NOFOLLOW) {
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
            self.check_found(context, &dentry, how.flags)?;
            break_leases(&dentry, how.flags)?;
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
        self.check_found(context, place, how.flags)?;
        break_leases(place, how.flags)?;
        self.describe(context, place, how.flags, false)
    }

    /// Opens a program to read, for who may execute it (`do_open_execat` of the kernel). EACCES for what is no regular file, or lies
    /// where nothing is executed; ELOOP for a symbolic link with AT_SYMLINK_NOFOLLOW.
    pub fn open_program(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        flags: AtFlags,
    ) -> Result<Arc<Description>> {
        let found = self.locate(context, at, path, flags)?;
        let head = found.head();
        if head.kind == FileKind::Symlink {
            return Err(Errno::ELOOP);
        }
        head.permits(&context.credentials, AccessMode::EXECUTE)?;
        let mount = self.mounts.of_device(head.device);
        if head.kind != FileKind::Regular || mount.is_some_and(|mount| mount.has_no_programs()) {
            return Err(Errno::EACCES);
        }
        self.check_unwritten(&found)?;
        break_leases(&found, OpenFlags::empty())?;
        self.describe(context, &found, OpenFlags::O_LARGEFILE, false)
    }

    /// ETXTBSY for a program that some process can write to. A file of the image that nobody has written to yet is not asked about.
    fn check_unwritten(&self, file: &Dentry) -> Result<()> {
        if !file.tree().is_some_and(TreeInode::is_pinned) {
            return Ok(());
        }
        match self.is_open(file, |open, _| open.flags().writable()) {
            true => Err(Errno::ETXTBSY),
            false => Ok(()),
        }
    }

    /// Whether a process has a descriptor by which a file is open in such a way.
    fn is_open(&self, file: &Dentry, is_so: impl Fn(&Description, &OpenFile) -> bool) -> bool {
        let (device, number) = (file.head().device, file.head().number);
        let is_one = |open: Arc<Description>| {
            let Some(known) = open.object_as::<OpenFile>() else {
                return false;
            };
            let head = known.dentry().head();
            let is_path = open.flags().contains(OpenFlags::O_PATH);
            !is_path && (head.device, head.number) == (device, number) && is_so(&open, known)
        };
        let pids = self.system.processes().into_iter();
        let mut processes = pids.filter_map(|pid| self.system.process(pid));
        processes.any(|process| {
            let mut open = process.descriptors().into_iter();
            open.any(|fd| process.descriptor(fd).is_some_and(is_one))
        })
    }

    /// F_SETLEASE; `told` is notified when somebody wants to open the file.
    ///
    /// # Errors
    /// EACCES for who does not own the file, EINVAL for what is no regular file, EAGAIN where it is open otherwise than the lease allows.
    pub fn set_lease(
        &self,
        context: &Context,
        file: &Description,
        lease: Lease,
        told: Arc<dyn Observer>,
    ) -> Result<()> {
        let open = file.object_as::<OpenFile>().ok_or(Errno::EINVAL)?;
        let dentry = open.dentry();
        if dentry.head().owner().0 != context.credentials.fsuid()
            && !context.credentials.has(Capabilities::CAP_LEASE)
        {
            return Err(Errno::EACCES);
        }
        let inode = regular_of(dentry).map_err(|_| Errno::EINVAL)?;
        let is_in_the_way = |other: &Description, known: &OpenFile| match lease {
            Lease::None => false,
            Lease::Read => other.flags().writable(),
            Lease::Write => known.number() != open.number(),
        };
        if self.is_open(dentry, is_in_the_way) {
            return Err(Errno::EAGAIN);
        }
        open.set_locked();
        inode.extra().leases.set(open.number(), lease, told)
    }

    /// F_GETLEASE.
    pub fn lease(&self, file: &Description) -> Lease {
        let open = file.object_as::<OpenFile>();
        let extra = open.and_then(|open| open.tree()?.extra_if_made());
        match (open, extra) {
            (Some(open), Some(extra)) => extra.leases.of(open.number()),
            _ => Lease::None,
        }
    }

    /// Whether a process executes a file. Only files that can be executed are asked about.
    fn is_executed(&self, file: &Dentry) -> bool {
        let is_same = |program: Arc<Dentry>| {
            let (program, file) = (program.head(), file.head());
            (program.device, program.number) == (file.device, file.number)
        };
        let pids = self.system.processes().into_iter();
        let processes = pids.filter_map(|pid| self.system.process(pid));
        processes
            .filter(|process| !process.has_ended())
            .filter_map(|process| process.executable())
            .any(is_same)
    }

    /// ETXTBSY for a program that runs, which nobody may write to.
    fn check_idle(&self, file: &Dentry) -> Result<()> {
        let can_run = file.head().permissions() & S_IXUGO != 0;
        match can_run && self.is_executed(file) {
            true => Err(Errno::ETXTBSY),
            false => Ok(()),
        }
    }

    fn describe(
        &self,
        context: &Context,
        dentry: &Arc<Dentry>,
        flags: OpenFlags,
        made: bool,
    ) -> Result<Arc<Description>> {
        let status = flags - FORGOTTEN;
        let noctty = flags & OpenFlags::O_NOCTTY;
        let object = open_dentry(&self.system, dentry, status | noctty)?;
        if !flags.contains(OpenFlags::O_PATH) {
            notify::used(dentry, InotifyMask::IN_OPEN);
        }
        if flags.contains(OpenFlags::O_TRUNC)
            && !made
            && dentry.head().kind == FileKind::Regular
            && let Some(inode) = dentry.tree()
        {
            inode.truncate(0)?;
            notify::used(dentry, InotifyMask::IN_MODIFY);
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
        let create = flags.contains(OpenFlags::O_CREAT);
        let Last::Name(name) = parent.last else {
            return match (create, flags.contains(OpenFlags::O_EXCL)) {
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
        if create && flags.contains(OpenFlags::O_EXCL) {
            return Err(Errno::EEXIST);
        }
        let mut found = found;
        if is_link(&found) && (parent.slash || !flags.contains(OpenFlags::O_NOFOLLOW)) {
            found = match walk.enter(&parent.directory, &found)? {
                Entered::Jump(target) => target,
                Entered::Path(start, path) if !parent.slash => {
                    return self.find_or_make(walk, start, &path, how);
                }
                Entered::Path(start, path) => walk.resolve_from(start, &path, Follow::Yes)?,
            };
        }
        if (parent.slash || flags.contains(OpenFlags::O_DIRECTORY)) && !found.head().is_directory() {
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
        if !how.flags.contains(OpenFlags::O_EXCL) {
            inode.set_linkable();
        }
        let name = alloc::format!("#{}", inode.head.number);
        let dentry = Dentry::nameless(inode, directory, name.as_bytes());
        self.describe(context, &dentry, how.flags - OpenFlags::O_TRUNC, true)
    }

    /// F_ADD_SEALS: EPERM, EINVAL, EBUSY for F_SEAL_WRITE while it is mapped shared.
    pub fn add_seals(&self, file: &Description, seals: u32) -> Result<()> {
        if !file.flags().writable() {
            return Err(Errno::EPERM);
        }
        let mut seals = Seals::from_bits(seals).ok_or(Errno::EINVAL)?;
        let known = sealable(file)?;
        let inode = file.object_as::<OpenFile>().and_then(OpenFile::tree);
        // A mapping that is shared could write on. One that only reads counts as well: nobody knows that here.
        let before = Seals::from_bits_retain(known.load(Ordering::Acquire));
        if before.contains(Seals::F_SEAL_SEAL) {
            return Err(Errno::EPERM);
        }
        let is_new = (seals - before).contains(Seals::F_SEAL_WRITE);
        if is_new && inode.is_some_and(|inode| inode.shared().is_some()) {
            return Err(Errno::EBUSY);
        }
        // What is executable for ever must not change either.
        let is_executable = |inode: &TreeInode| inode.head.permissions() & S_IXUGO != 0;
        if seals.contains(Seals::F_SEAL_EXEC) && inode.is_some_and(is_executable) {
            seals |=
                Seals::F_SEAL_SHRINK | Seals::F_SEAL_GROW | Seals::F_SEAL_WRITE | Seals::F_SEAL_FUTURE_WRITE;
        }
        let sealed = Seals::F_SEAL_SEAL.bits();
        let add = |known: u32| (known & sealed == 0).then_some(known | seals.bits());
        known
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add)
            .map(drop)
            .map_err(|_| Errno::EPERM)
    }

    /// F_GET_SEALS: EINVAL for what cannot have any.
    pub fn seals(&self, file: &Description) -> Result<Seals> {
        Ok(Seals::from_bits_retain(sealable(file)?.load(Ordering::Acquire)))
    }

    /// What `open` demands of what was there (may_open of the kernel).
    fn check_found(&self, context: &Context, found: &Dentry, flags: OpenFlags) -> Result<()> {
        let head = found.head();
        if flags.contains(OpenFlags::O_CREAT) && head.is_directory() {
            return Err(Errno::EISDIR);
        }
        if flags.contains(OpenFlags::O_DIRECTORY) && !head.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if flags.contains(OpenFlags::O_PATH) {
            return Ok(());
        }
        match head.kind {
            FileKind::Symlink => return Err(Errno::ELOOP),
            FileKind::Directory if writes(flags) => return Err(Errno::EISDIR),
            _ => {}
        }
        head.permits(&context.credentials, access(flags))?;
        // Only what is made when it is looked at lies on mounts that nothing is written to.
        if writes(flags)
            && head.kind == FileKind::Regular
            && found.tree().is_none()
            && self.is_read_only(head.device)
        {
            return Err(Errno::EROFS);
        }
        if writes(flags) && head.kind == FileKind::Regular {
            self.check_idle(found)?;
        }
        if flags.contains(OpenFlags::O_NOATIME) {
            head.owned_by(&context.credentials)?;
        }
        Ok(())
    }

    /// `truncate`.
    pub fn truncate(&self, context: &Context, path: &[u8], len: u64) -> Result<()> {
        let found = Walk::new(context, At::Cwd).resolve(path, Follow::Yes)?;
        let inode = regular_of(&found)?;
        inode.head.permits(&context.credentials, AccessMode::WRITE)?;
        self.check_idle(&found)?;
        break_leases(&found, OpenFlags::O_WRONLY)?;
        inode.truncate(len)?;
        notify::used(&found, InotifyMask::IN_MODIFY);
        strip_set_ids(inode, &context.credentials);
        Ok(())
    }
}

/// Waits until nobody has a lease that forbids to open a file in this way; EAGAIN with O_NONBLOCK, EINTR.
fn break_leases(file: &Dentry, flags: OpenFlags) -> Result<()> {
    let Some(extra) = file.tree().and_then(TreeInode::extra_if_made) else {
        return Ok(());
    };
    if flags.contains(OpenFlags::O_PATH) {
        return Ok(());
    }
    let rest = if writes(flags) { Lease::None } else { Lease::Read };
    extra.leases.break_to(rest, flags.contains(OpenFlags::O_NONBLOCK))
}

fn sealable(file: &Description) -> Result<&AtomicU32> {
    let inode = file.object_as::<OpenFile>().and_then(|open| open.tree());
    let extra = inode.and_then(|inode| inode.extra_if_made());
    extra.and_then(|extra| extra.seals.as_ref()).ok_or(Errno::EINVAL)
}
