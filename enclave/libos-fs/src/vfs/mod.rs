//! The calls: paths in, results out.
//!
//! One [`Vfs`] is a container's. Its methods are grouped by file: [`open`], [`names`], [`attributes`], [`xattr`].

mod attributes;
mod names;
mod open;
mod sockets;
mod terminals;
mod xattr;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicI32;

use kobject::credentials::AccessMode;
use kobject::{Credentials, Description, Errno, File, FileKind, Result, Timestamp};
use linux_abi::{AtFlags, MountFlags, OpenFlags, Seals};

use crate::attester::Attester;
use crate::context::{At, Context};
use crate::dentry::Dentry;
use crate::image::Image;
use crate::inode::Inode;
use crate::mounts::{DATA_ONLY, FileSystemType, Mount, MountTable};
use crate::open_file::OpenFile;
use crate::synthetic::{ObjectNode, Synthetic};
use crate::system::System;
use crate::tree::{Body, Budget, Content, Tree, TreeInode, TreeOptions};
use crate::walk::{Follow, Walk};
use crate::{attestation, proc, sys};

pub use attributes::{FileSystemStat, Owner, SetTime, written_by};
pub use names::NewNode;
pub use open::OpenHow;
pub use terminals::MAX_TERMINALS;

/// Whose terminals are, and what they permit: as container runtimes mount them.
const PTS_OPTIONS: &str = "gid=5,mode=620,ptmxmode=666";

/// What a container's file systems are made from.
pub struct VfsOptions {
    /// The root file system; without one the root is empty at first.
    pub image: Option<Arc<dyn Image>>,
    /// Most bytes of memory that files may take.
    pub memory_limit: u64,
    /// The time, for the times of files.
    pub now: fn() -> Timestamp,
    /// A random number: the seed of the hash of names, and of `boot_id`.
    pub seed: [u64; 3],
    /// What /proc, /sys and /dev show.
    pub system: Arc<dyn System>,
    /// What /dev/attestation shows.
    pub attester: Arc<dyn Attester>,
}

/// The file systems of a container.
pub struct Vfs {
    root: Arc<Dentry>,
    /// Files without a name.
    anonymous: Arc<Tree>,
    budget: Arc<Budget>,
    system: Arc<dyn System>,
    mounts: Arc<MountTable>,
}

impl Vfs {
    /// Makes the file systems and mounts them; EIO if the image's root cannot be read, ENOTDIR if one of the mount points is none.
    pub fn new(options: VfsOptions) -> Result<Self> {
        let budget = Budget::new(options.memory_limit);
        let tree = |mount: &Mount, image: Option<Arc<dyn Image>>, root_permissions| {
            Tree::new(TreeOptions {
                image,
                device: mount.device(),
                budget: budget.clone(),
                now: options.now,
                seed: options.seed[0],
                root_permissions,
            })
        };
        let mounts = Arc::new(MountTable::new());
        let noatime = MountFlags::ST_NOATIME;
        let root = mounts.add("/", FileSystemType::OVERLAY, noatime, "");
        let proc_mount = mounts.add("/proc", FileSystemType::PROC, DATA_ONLY, "");
        let read_only = DATA_ONLY | MountFlags::ST_RDONLY;
        let proc_sys_mount = mounts.add("/proc/sys", FileSystemType::PROC, read_only, "");
        let with_devices = MountFlags::ST_NOSUID | noatime;
        let dev = mounts.add("/dev", FileSystemType::TMPFS, with_devices, "mode=755");
        let without_programs = with_devices | MountFlags::ST_NOEXEC;
        let shm = mounts.add("/dev/shm", FileSystemType::TMPFS, DATA_ONLY, "");
        let pts = mounts.add("/dev/pts", FileSystemType::DEVPTS, without_programs, PTS_OPTIONS);
        let attestation_mount = mounts.add("/dev/attestation", FileSystemType::ATTESTATION, DATA_ONLY, "");
        let sys_mount = mounts.add("/sys", FileSystemType::SYSFS, read_only, "");
        let cgroup_mount = mounts.add("/sys/fs/cgroup", FileSystemType::CGROUP2, read_only, "");
        let nowhere = mounts.add("", FileSystemType::TMPFS, MountFlags::empty(), "");

        let (_, root) = tree(&root, options.image.clone(), 0o755)?;
        let (anonymous, _) = tree(&nowhere, None, 0o700)?;
        let vfs = Self {
            root: Dentry::root(root),
            anonymous,
            budget: budget.clone(),
            system: options.system.clone(),
            mounts: mounts.clone(),
        };
        let [_, high, low] = options.seed;
        let synthetic = |mount: &Mount| Synthetic {
            device: mount.device(),
            system: options.system.clone(),
            started: (options.now)(),
            mounts: mounts.clone(),
            boot_id: (u128::from(high) << 64 | u128::from(low)).to_be_bytes(),
            oom_score_adjust: AtomicI32::new(0),
            attestation: attestation::State::new(options.attester.clone()),
            mounted: None,
        };
        let with_mounted = |mount: &Mount, mounted: &Mount| Synthetic {
            mounted: Some(Arc::new(synthetic(mounted))),
            ..synthetic(mount)
        };
        vfs.mount(
            &proc_mount,
            proc::root(with_mounted(&proc_mount, &proc_sys_mount)),
        )?;
        vfs.mount(&sys_mount, sys::root(with_mounted(&sys_mount, &cgroup_mount)))?;
        vfs.mount(&dev, tree(&dev, None, 0o755)?.1)?;
        vfs.mount(&shm, tree(&shm, None, 0o1777)?.1)?;
        vfs.mount(&pts, tree(&pts, None, 0o755)?.1)?;
        vfs.mount(
            &attestation_mount,
            attestation::root(synthetic(&attestation_mount)),
        )?;
        crate::device::make_nodes(&vfs)?;
        Ok(vfs)
    }

    /// The root of all paths.
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// Root's view from the very top, for what the LibOS itself does.
    pub fn root_context(&self) -> Context {
        Context {
            root: self.root.clone(),
            cwd: self.root.clone(),
            umask: 0,
            credentials: Arc::new(Credentials::new(0, 0, Vec::new())),
        }
    }

    /// Puts a file system's root in the place of a directory, which is made if it is not there. A mount is nothing but an entry of its
    /// directory, so the path walk need not know of any.
    fn mount(&self, mount: &Mount, root: Arc<dyn Inode>) -> Result<()> {
        let context = self.root_context();
        match self.make_directory(&context, At::Cwd, mount.path().as_bytes(), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
        let mut walk = Walk::new(&context, At::Cwd);
        let point = walk.resolve(mount.path().as_bytes(), Follow::No)?;
        if !point.head().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let parent = point.parent().ok_or(Errno::EBUSY)?;
        let directory = parent.tree().ok_or(Errno::EBUSY)?;
        directory.mount(&parent, &point.name(), root)
    }

    /// What a path, or with an empty path and [`AtFlags::AT_EMPTY_PATH`] the open file itself, stands for.
    pub(crate) fn locate(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        flags: AtFlags,
    ) -> Result<Arc<Dentry>> {
        if path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) {
            return match at {
                At::Cwd => Ok(context.cwd.clone()),
                At::Descriptor(description) => dentry_of(description),
            };
        }
        let follow = match flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW) {
            true => Follow::No,
            false => Follow::Yes,
        };
        Walk::new(context, at).resolve(path, follow)
    }

    /// The directory that a path names, which may be searched: for `chdir`, `fchdir` and `chroot`.
    pub fn directory(
        &self,
        context: &Context,
        at: At<'_>,
        path: &[u8],
        flags: AtFlags,
    ) -> Result<Arc<Dentry>> {
        let found = self.locate(context, at, path, flags)?;
        if !found.head().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        found.head().permits(&context.credentials, AccessMode::EXECUTE)?;
        Ok(found)
    }

    /// `getcwd`: ENOENT if the working directory was removed.
    pub fn working_directory(&self, context: &Context) -> Result<Vec<u8>> {
        if context.cwd.is_unlinked() {
            return Err(Errno::ENOENT);
        }
        let path = context.cwd.path(&context.root);
        // By this, nobody takes it for a path that can be used (CVE-2018-1000001).
        match context.cwd.is_below(&context.root) {
            true => Ok(path),
            false => Ok([b"(unreachable)", path.as_slice()].concat()),
        }
    }

    /// A file without a name: what `memfd_create` gives, with these permission bits and seals.
    pub fn anonymous_file(
        &self,
        context: &Context,
        name: &[u8],
        permissions: u32,
        seals: Seals,
    ) -> Result<Arc<Description>> {
        let owner = (context.credentials.fsuid(), context.credentials.fsgid());
        let body = Body::Regular(Content::empty());
        let inode = self.anonymous.new_inode(body, permissions, owner)?;
        inode.set_sealable(seals);
        let path = [b"/memfd:", name].concat();
        let dentry = Dentry::apart(inode, &path, true);
        let flags = OpenFlags::O_RDWR | OpenFlags::O_LARGEFILE;
        Ok(Description::new(OpenFile::of(&dentry), flags, b""))
    }
}

/// What an open file is, as a dentry: one that is of no file system stands for itself.
pub(crate) fn dentry_of(description: &Description) -> Result<Arc<Dentry>> {
    let named = || description.object().named()?.as_any().downcast_ref();
    match description.object_as::<OpenFile>().or_else(named) {
        Some(file) => Ok(file.dentry().clone()),
        None => ObjectNode::dentry(description),
    }
}

/// The path of an open file, for `/proc`: where it is now if it is of a file system, else what it was opened by.
pub fn path_of(description: &Description, root: &Arc<Dentry>) -> Vec<u8> {
    match description.object_as::<OpenFile>() {
        Some(file) => file.dentry().path(root),
        None => description.path().to_vec(),
    }
}

/// The place of an open file of a file system.
pub fn place_of(description: &Description) -> Option<Arc<Dentry>> {
    Some(description.object_as::<OpenFile>()?.dentry().clone())
}

/// The inode of a file system in memory; EPERM for others, whose names and attributes nobody changes.
fn tree_of(dentry: &Dentry) -> Result<&TreeInode> {
    dentry.tree().ok_or(Errno::EPERM)
}

/// As [`tree_of`], of a regular file's; EISDIR or EINVAL for what has no contents.
fn regular_of(dentry: &Dentry) -> Result<&TreeInode> {
    match dentry.head().kind {
        FileKind::Regular => tree_of(dentry),
        FileKind::Directory => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

/// Opens what was found, whose permissions have been checked.
fn open_dentry(system: &Arc<dyn System>, dentry: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn File>> {
    if flags.contains(OpenFlags::O_PATH) {
        return Ok(OpenFile::of(dentry));
    }
    match dentry.tree().map(|inode| &inode.body) {
        Some(Body::CharDevice(number)) => crate::device::open(system, *number, flags, dentry),
        Some(Body::BlockDevice(_) | Body::Socket(_)) => Err(Errno::ENXIO),
        Some(Body::Fifo(pipe)) => {
            let pipe = pipe.get_or_make(|| system.named_pipe());
            pipe.open(flags, OpenFile::of(dentry))
        }
        _ => dentry.inode().open(dentry, flags),
    }
}
