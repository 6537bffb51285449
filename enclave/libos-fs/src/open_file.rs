//! Open files of the file systems: what their descriptions refer to.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kobject::{
    DirectorySink, Errno, File, FileKind, How, Mapping, Observer, Result, SharedPagesSlot, Sink, Source,
    Stat, Subscription,
};
use linux_abi::{AllocateFlags, InotifyMask, Ioctl, OpenFlags, PollEvents};

use crate::dentry::Dentry;
use crate::device::Device;
use crate::notify;
use crate::synthetic::Text;
use crate::tree::TreeInode;

/// What an open file reads and writes.
enum Target {
    /// The inode itself: a regular file or directory in memory, or anything that was opened with O_PATH.
    Inode,
    /// A device.
    Device(Device),
    /// Text that is made when it is read.
    Text(Text),
}

/// An open file, directory or device, or a place that was opened with O_PATH.
pub struct OpenFile {
    dentry: Arc<Dentry>,
    target: Target,
    /// Its number, by which locks know it.
    number: u64,
    /// It has, or had, locks or a lease.
    locked: AtomicBool,
}

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

impl OpenFile {
    fn with_target(dentry: &Arc<Dentry>, target: Target) -> Arc<dyn File> {
        Arc::new(Self {
            dentry: dentry.clone(),
            target,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            locked: AtomicBool::new(false),
        })
    }

    /// An open inode.
    pub(crate) fn of(dentry: &Arc<Dentry>) -> Arc<dyn File> {
        Self::with_target(dentry, Target::Inode)
    }

    pub(crate) fn of_device(dentry: &Arc<Dentry>, device: Device) -> Arc<dyn File> {
        Self::with_target(dentry, Target::Device(device))
    }

    pub(crate) fn of_text(dentry: &Arc<Dentry>, text: Text) -> Arc<dyn File> {
        Self::with_target(dentry, Target::Text(text))
    }

    /// Where it is.
    pub fn dentry(&self) -> &Arc<Dentry> {
        &self.dentry
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// It has locks from now on, which its closing ends.
    pub(crate) fn set_locked(&self) {
        self.locked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn tree(&self) -> Option<&TreeInode> {
        self.dentry.tree()
    }

    /// The inode of a file in memory; what others cannot do is an error that `otherwise` names.
    fn tree_or(&self, otherwise: Errno) -> Result<&TreeInode> {
        self.tree().ok_or(otherwise)
    }
}

impl File for OpenFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        let mut stat = self.dentry.inode().stat()?;
        if let Target::Text(text) = &self.target {
            stat.size = text.len()?;
        }
        Ok(stat)
    }

    fn is_seekable(&self) -> bool {
        !matches!(self.target, Target::Device(_))
    }

    fn ignores_positions(&self) -> bool {
        matches!(self.target, Target::Device(_))
    }

    fn read(&self, offset: u64, to: &mut dyn Sink, _: How) -> Result<usize> {
        let count = match &self.target {
            Target::Inode => self.tree_or(Errno::EISDIR)?.read(offset, to)?,
            Target::Device(device) => device.read(to)?,
            Target::Text(text) => text.read(offset, to)?,
        };
        if count > 0 {
            notify::used(&self.dentry, InotifyMask::IN_ACCESS);
        }
        Ok(count)
    }

    fn write(&self, offset: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        let (count, end) = match &self.target {
            Target::Inode => self.tree_or(Errno::EISDIR)?.write(offset, from, how.append)?,
            Target::Device(device) => (device.write(from)?, 0),
            Target::Text(text) => text.write(offset, from)?,
        };
        if count > 0 {
            notify::used(&self.dentry, InotifyMask::IN_MODIFY);
        }
        Ok((count, end))
    }

    fn end(&self) -> Result<u64> {
        match self.tree() {
            Some(inode) if inode.head.kind == FileKind::Regular => Ok(inode.content()?.len()),
            _ => match &self.target {
                Target::Text(text) => text.len(),
                _ => Ok(0),
            },
        }
    }

    fn seek_data(&self, offset: u64, hole: bool) -> Result<u64> {
        match self.dentry.head().kind {
            FileKind::Regular => self.tree_or(Errno::EINVAL)?.seek_data(offset, hole),
            _ => Err(Errno::EINVAL),
        }
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        interest & (PollEvents::READABLE | PollEvents::WRITABLE)
    }

    fn subscribe(&self, _: PollEvents, _: Weak<dyn Observer>) -> Option<Subscription> {
        None
    }

    fn read_directory(&self, cookie: u64, sink: &mut dyn DirectorySink) -> Result<u64> {
        let next = self.dentry.inode().list(&self.dentry, cookie, sink)?;
        notify::used(&self.dentry, InotifyMask::IN_ACCESS);
        Ok(next)
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match &self.target {
            Target::Device(device) => device.ioctl(request, argument),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn truncate(&self, len: u64) -> Result<()> {
        match &self.target {
            Target::Inode if self.dentry.head().kind == FileKind::Regular => {
                self.tree_or(Errno::EINVAL)?.truncate(len)?;
                notify::used(&self.dentry, InotifyMask::IN_MODIFY);
                Ok(())
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn allocate(&self, mode: AllocateFlags, offset: u64, len: u64) -> Result<()> {
        match &self.target {
            Target::Inode if self.dentry.head().kind == FileKind::Regular => {
                self.tree_or(Errno::EOPNOTSUPP)?.allocate(mode, offset, len)?;
                notify::used(&self.dentry, InotifyMask::IN_MODIFY);
                Ok(())
            }
            Target::Inode => Err(Errno::EISDIR),
            _ => Err(Errno::ENODEV),
        }
    }

    fn sync(&self) -> Result<()> {
        match &self.target {
            // In memory there is nothing to wait for.
            Target::Inode => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn mapping(self: Arc<Self>) -> Result<Arc<dyn Mapping>> {
        match &self.target {
            Target::Inode if self.dentry.head().kind == FileKind::Regular && self.tree().is_some() => {
                Ok(self)
            }
            _ => Err(Errno::ENODEV),
        }
    }

    fn closing(&self, flags: OpenFlags) {
        notify::closed(&self.dentry, flags);
    }

    fn close(&self) {
        if self.locked.load(Ordering::Relaxed)
            && let Some(extra) = self.tree().and_then(|inode| inode.extra_if_made())
        {
            extra.locks.close(self.number);
            extra.leases.close(self.number);
        }
    }
}

impl Mapping for OpenFile {
    fn read_pages(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.tree_or(Errno::EIO)?.read_pages(offset, out)
    }

    fn write_pages(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.tree_or(Errno::EIO)?.write_pages(offset, bytes)
    }

    fn len(&self) -> u64 {
        File::end(self).unwrap_or(0)
    }

    fn identity(&self) -> (u64, u64) {
        let head = self.dentry.head();
        (head.device, head.number)
    }

    fn call_site_key(&self) -> Option<u64> {
        let inode = self.tree()?;
        inode.is_of_image().then_some(inode.head.number)
    }

    fn path(&self) -> Vec<u8> {
        self.dentry.whole_path()
    }

    fn shared_pages(&self) -> Option<&SharedPagesSlot> {
        Some(&self.tree()?.extra().shared_pages)
    }
}
