//! File systems whose files are made when they are looked at: `/proc`, `/sys` and `/dev/attestation`.
//!
//! A file system of this kind is tables of [`Item`]s: a name, permission bits, and a [`Shape`] that says what the name is, made for a
//! [`Subject`]. Nothing of it is kept: each look-up makes a dentry and an inode, which live as long as somebody refers to them.

mod text;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::AtomicI32;

use kobject::{
    Attributes, Description, DirectoryEntry, DirectorySink, Errno, File, FileKind, Result, Stat, Timestamp,
};
use linux_abi::OpenFlags;

use crate::attestation;
use crate::attester::{Secret, SecurityVersions};
use crate::dentry::Dentry;
use crate::hash::hash;
use crate::inode::{Head, Inode, Link};
use crate::mounts::MountTable;
use crate::open_file::OpenFile;
use crate::system::System;

pub(crate) use self::text::Text;
use self::text::{Make, secret_size};

/// What a file is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) pid: u32,
    /// The thread, or the first one for the process.
    pub(crate) tid: u32,
    /// The descriptor, or the number of a processor.
    pub(crate) number: u32,
    /// The number of one of the processor's caches.
    pub(crate) cache: u32,
    /// Which sealing keys; the present ones for `None`.
    pub(crate) versions: Option<SecurityVersions>,
}

/// Makes a file's text.
pub(crate) type MakeText = fn(&Synthetic, Subject) -> Result<Vec<u8>>;

/// Takes what is written to a file.
pub(crate) type TakeText = fn(&Synthetic, Subject, &[u8]) -> Result<()>;

/// Gets a file's secret; `None` if it has none.
pub(crate) type MakeSecret = fn(&Synthetic, Subject) -> Result<Option<Secret>>;

/// What a name is.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// A directory of these, and of what `numbered` finds.
    Directory(&'static [Item], Option<&'static Numbered>),
    /// A directory of names that say themselves what they are about.
    Named(&'static Named),
    /// The root of the file system that is mounted on this one, with these names.
    Mounted(&'static [Item]),
    /// A file that always has this text.
    Fixed(&'static str),
    /// A file with the text that this makes.
    Text(MakeText),
    /// As `Text`, for those who may look into the process.
    Private(MakeText),
    /// As `Text`, with what a write does.
    Writable(MakeText, TakeText),
    /// A file with the bytes that this makes when it is opened, and what a write does. `size` is what `stat` says, 0 if nobody knows.
    Opened {
        size: u64,
        make: MakeText,
        take: Option<TakeText>,
    },
    /// A file with a secret, and what a write does. It is asked for at each read, so that no copy of it stays.
    Secret(MakeSecret, Option<TakeText>),
    /// A symbolic link.
    Link(fn(&Synthetic, Subject) -> Result<Link>),
}

impl Shape {
    fn kind(self) -> FileKind {
        match self {
            Self::Directory(..) | Self::Named(_) | Self::Mounted(_) => FileKind::Directory,
            Self::Fixed(_)
            | Self::Text(_)
            | Self::Private(_)
            | Self::Writable(..)
            | Self::Opened { .. }
            | Self::Secret(..) => FileKind::Regular,
            Self::Link(_) => FileKind::Symlink,
        }
    }
}

/// A name that is always there.
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) permissions: u32,
    pub(crate) shape: Shape,
}

impl Item {
    pub(crate) const fn directory(name: &'static str, items: &'static [Item]) -> Self {
        let shape = Shape::Directory(items, None);
        Self {
            name,
            permissions: 0o555,
            shape,
        }
    }

    /// The root of what is mounted here.
    pub(crate) const fn mounted(name: &'static str, items: &'static [Item]) -> Self {
        Self {
            name,
            permissions: 0o555,
            shape: Shape::Mounted(items),
        }
    }

    pub(crate) const fn fixed(name: &'static str, text: &'static str) -> Self {
        let shape = Shape::Fixed(text);
        Self {
            name,
            permissions: 0o444,
            shape,
        }
    }

    pub(crate) const fn text(name: &'static str, make: MakeText) -> Self {
        Self {
            name,
            permissions: 0o444,
            shape: Shape::Text(make),
        }
    }

    pub(crate) const fn private(name: &'static str, permissions: u32, make: MakeText) -> Self {
        Self {
            name,
            permissions,
            shape: Shape::Private(make),
        }
    }

    pub(crate) const fn writable(name: &'static str, make: MakeText, take: TakeText) -> Self {
        let shape = Shape::Writable(make, take);
        Self {
            name,
            permissions: 0o644,
            shape,
        }
    }

    pub(crate) const fn link(name: &'static str, to: fn(&Synthetic, Subject) -> Result<Link>) -> Self {
        Self {
            name,
            permissions: 0o777,
            shape: Shape::Link(to),
        }
    }
}

/// Names with numbers: processes, threads, descriptors, processors, caches.
pub(crate) struct Numbered {
    /// What stands before the number.
    pub(crate) prefix: &'static str,
    /// The numbers that there are, ascending.
    pub(crate) numbers: fn(&Synthetic, Subject) -> Vec<u32>,
    /// The subject of a number, if it is there.
    pub(crate) subject: fn(&Synthetic, Subject, u32) -> Option<Subject>,
    /// Permission bits, which may depend on the subject.
    pub(crate) permissions: fn(&Synthetic, Subject) -> u32,
    pub(crate) shape: Shape,
}

/// The number of a root's inode.
const ROOT_NUMBER: u64 = 1;

/// Directories whose names say what they are about.
pub(crate) struct Named {
    /// The name that is listed. Others may be there, too.
    pub(crate) listed: fn(&Synthetic) -> Result<Vec<u8>>,
    /// The subject of a name, if it is one.
    pub(crate) subject: fn(&Synthetic, Subject, &[u8]) -> Option<Subject>,
    /// What is in each.
    pub(crate) items: &'static [Item],
}

/// A file system of this kind.
pub(crate) struct Synthetic {
    pub(crate) device: u64,
    pub(crate) system: Arc<dyn System>,
    /// The time of everything in it.
    pub(crate) started: Timestamp,
    /// The mount table, as `/proc/mounts` shows it.
    pub(crate) mounts: Arc<MountTable>,
    /// `boot_id`.
    pub(crate) boot_id: [u8; 16],
    /// `oom_score_adj`, which is only remembered: there is nobody to choose among processes.
    pub(crate) oom_score_adjust: AtomicI32,
    /// What `/dev/attestation` stands on.
    pub(crate) attestation: attestation::State,
    /// What is mounted on it, where a name has [`Shape::Mounted`].
    pub(crate) mounted: Option<Arc<Synthetic>>,
}

impl Synthetic {
    /// The root of a file system of these names.
    pub(crate) fn root(self, items: &'static [Item], numbered: Option<&'static Numbered>) -> Arc<dyn Inode> {
        let fs = Arc::new(self);
        Arc::new(Node::new(
            &fs,
            ROOT_NUMBER,
            Subject::default(),
            0o555,
            Shape::Directory(items, numbered),
        ))
    }

    /// A process; ESRCH is what a read of a file of one that has ended gives.
    pub(crate) fn process(&self, subject: Subject) -> Result<Arc<dyn crate::system::Process>> {
        self.system.process(subject.pid).ok_or(Errno::ESRCH)
    }

    /// A process that the calling one may look into; EACCES.
    pub(crate) fn inspect(&self, subject: Subject) -> Result<Arc<dyn crate::system::Process>> {
        let process = self.process(subject)?;
        let (caller, _) = self.system.current();
        match process.is_inspected_by(caller) {
            true => Ok(process),
            false => Err(Errno::EACCES),
        }
    }
}

/// The process whose directory in `/proc` an open file is.
pub fn process_of_directory(file: &Description) -> Option<u32> {
    let dentry = file.object_as::<OpenFile>()?.dentry();
    let inode: &dyn Any = &**dentry.inode();
    let node = inode
        .downcast_ref::<Node>()
        .filter(|node| node.subject.pid != 0)?;
    let is_below_root = dentry.parent()?.head().number == ROOT_NUMBER;
    is_below_root.then_some(node.subject.pid)
}

/// An inode of such a file system.
struct Node {
    head: Head,
    fs: Arc<Synthetic>,
    subject: Subject,
    shape: Shape,
}

impl Node {
    fn new(fs: &Arc<Synthetic>, number: u64, subject: Subject, permissions: u32, shape: Shape) -> Self {
        let process = (subject.pid != 0)
            .then(|| fs.system.process(subject.pid))
            .flatten();
        let owner = process.map_or((0, 0), |process| {
            let credentials = process.context().credentials;
            (credentials.euid(), credentials.egid())
        });
        Self {
            head: Head::new(fs.device, number, shape.kind(), permissions, owner),
            fs: fs.clone(),
            subject,
            shape,
        }
    }

    /// Numbers follow from names, so that an object has the same one each time.
    fn child_number(&self, name: &[u8]) -> u64 {
        // Positive in every C library's `ino_t`, and never that of the root.
        (hash(self.head.number, name) >> 16) | 2
    }

    fn child(
        &self,
        this: &Arc<Dentry>,
        name: &[u8],
        subject: Subject,
        permissions: u32,
        shape: Shape,
    ) -> Arc<Dentry> {
        let (fs, shape) = match (shape, &self.fs.mounted) {
            (Shape::Mounted(items), Some(mounted)) => (mounted, Shape::Directory(items, None)),
            _ => (&self.fs, shape),
        };
        let node = Node::new(fs, self.child_number(name), subject, permissions, shape);
        Dentry::new(Arc::new(node), this, name.into())
    }

    /// The names from `cookie` on: the fixed ones have 2 and up, the numbered ones their number behind them.
    fn entries(&self, cookie: u64) -> Result<Vec<(Vec<u8>, FileKind, u64)>> {
        const FIRST: u64 = 2;
        const NUMBERED: u64 = 1 << 16;
        let (items, numbered) = match self.shape {
            Shape::Directory(items, numbered) => (items, numbered),
            Shape::Named(named) if cookie <= FIRST => {
                return Ok(vec![((named.listed)(&self.fs)?, FileKind::Directory, FIRST)]);
            }
            _ => return Ok(Vec::new()),
        };
        let fixed = (FIRST..)
            .zip(items)
            .map(|(at, item)| (item.name.into(), item.shape.kind(), at));
        let mut all: Vec<(Vec<u8>, FileKind, u64)> = fixed.filter(|(_, _, at)| *at >= cookie).collect();
        if let Some(numbered) = numbered {
            for number in (numbered.numbers)(&self.fs, self.subject) {
                let at = NUMBERED + u64::from(number);
                if at >= cookie {
                    let name = alloc::format!("{}{number}", numbered.prefix);
                    all.push((name.into_bytes(), numbered.shape.kind(), at));
                }
            }
        }
        Ok(all)
    }
}

impl Inode for Node {
    fn head(&self) -> &Head {
        &self.head
    }

    fn stat(&self) -> Result<Stat> {
        let mut stat = Stat::new(self.head.kind, self.head.permissions(), self.head.number);
        stat.device = self.head.device;
        (stat.uid, stat.gid) = self.head.owner();
        if self.head.is_directory() {
            stat.links = 2;
        }
        stat.size = match self.shape {
            Shape::Link(_) if self.subject.pid != 0 => 64,
            Shape::Opened { size, .. } => size,
            Shape::Secret(make, _) => secret_size(make(&self.fs, self.subject)?.as_ref()),
            _ => 0,
        };
        let time = self.fs.started;
        (stat.accessed, stat.modified, stat.changed) = (time, time, time);
        Ok(stat)
    }

    fn lookup(&self, this: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        let (items, numbered) = match self.shape {
            Shape::Directory(items, numbered) => (items, numbered),
            Shape::Named(named) => {
                let subject = (named.subject)(&self.fs, self.subject, name).ok_or(Errno::ENOENT)?;
                let shape = Shape::Directory(named.items, None);
                return Ok(self.child(this, name, subject, 0o555, shape));
            }
            _ => return Err(Errno::ENOTDIR),
        };
        if let Some(item) = items.iter().find(|item| item.name.as_bytes() == name) {
            return Ok(self.child(this, name, self.subject, item.permissions, item.shape));
        }
        let numbered = numbered.ok_or(Errno::ENOENT)?;
        let number = name
            .strip_prefix(numbered.prefix.as_bytes())
            .and_then(parse_number);
        let number = number.ok_or(Errno::ENOENT)?;
        let subject = (numbered.subject)(&self.fs, self.subject, number).ok_or(Errno::ENOENT)?;
        let permissions = (numbered.permissions)(&self.fs, subject);
        Ok(self.child(this, name, subject, permissions, numbered.shape))
    }

    fn list(&self, this: &Arc<Dentry>, cookie: u64, sink: &mut dyn DirectorySink) -> Result<u64> {
        let mut next = cookie;
        let mut give = |inode, kind, name: &[u8], behind| {
            let taken = sink
                .entry(DirectoryEntry {
                    inode,
                    next: behind,
                    kind,
                    name,
                })
                .is_continue();
            if taken {
                next = behind;
            }
            taken
        };
        let parent = this
            .parent()
            .map_or(self.head.number, |parent| parent.head().number);
        if cookie == 0 && !give(self.head.number, FileKind::Directory, b".", 1) {
            return Ok(next);
        }
        if cookie <= 1 && !give(parent, FileKind::Directory, b"..", 2) {
            return Ok(next);
        }
        for (name, kind, at) in self.entries(cookie)? {
            if !give(self.child_number(&name), kind, &name, at + 1) {
                break;
            }
        }
        Ok(next)
    }

    fn link(&self) -> Result<Link> {
        match self.shape {
            Shape::Link(to) => to(&self.fs, self.subject),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(&self, this: &Arc<Dentry>, _: OpenFlags) -> Result<Arc<dyn File>> {
        let (make, take) = match self.shape {
            Shape::Directory(..) | Shape::Named(_) | Shape::Mounted(_) | Shape::Link(_) => {
                return Ok(OpenFile::of(this));
            }
            Shape::Fixed(text) => (Make::Fixed(text), None),
            Shape::Text(make) => (Make::Anew(make), None),
            Shape::Private(make) => {
                self.fs.inspect(self.subject)?;
                (Make::Anew(make), None)
            }
            Shape::Writable(make, take) => (Make::Anew(make), Some(take)),
            Shape::Opened { make, take, .. } => (Make::Once(make), take),
            Shape::Secret(make, take) => (Make::Secret(make), take),
        };
        let text = Text::open(&self.fs, self.subject, make, take)?;
        Ok(OpenFile::of_text(this, text))
    }
}

/// A decimal number as a name: no sign, no leading zeros.
pub(crate) fn parse_number(name: &[u8]) -> Option<u32> {
    let canonical = name == b"0" || name.first().is_some_and(|&digit| digit != b'0');
    let digits = name.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(name)
        .ok()
        .filter(|_| canonical && digits)?
        .parse()
        .ok()
}

/// The inode of an object that no path leads to, behind a magic link: opening it gives the object itself.
pub(crate) struct ObjectNode {
    head: Head,
    object: Arc<dyn File>,
}

impl ObjectNode {
    /// Behind a descriptor of /proc/PID/fd.
    pub(crate) fn dentry(description: &Description) -> Result<Arc<Dentry>> {
        let object = description.object().clone();
        let stat = object.stat()?;
        // Whoever may look into a process's descriptors has the object already, so only its kind counts.
        let head = Head::new(stat.device, stat.inode, stat.kind, 0o777, (stat.uid, stat.gid));
        let name = match (description.path(), stat.kind) {
            (b"", FileKind::Fifo) => format!("pipe:[{}]", stat.inode).into_bytes(),
            (b"", FileKind::Socket) => format!("socket:[{}]", stat.inode).into_bytes(),
            (path, _) => path.to_vec(),
        };
        Ok(Dentry::apart(Arc::new(Self { head, object }), &name, false))
    }
}

impl Inode for ObjectNode {
    fn head(&self) -> &Head {
        &self.head
    }

    fn stat(&self) -> Result<Stat> {
        self.object.stat()
    }

    fn attributes(&self) -> Option<&Attributes> {
        self.object.attributes()
    }

    fn open(&self, _: &Arc<Dentry>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        self.object.clone().reopen(flags)
    }
}
