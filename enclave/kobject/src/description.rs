//! Open files.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use linux_abi::{OpenFlags, Whence};

use crate::async_notice::AsyncNotice;
use crate::{DirectorySink, Errno, File, How, Mutex, MutexGuard, Once, Result, Sink, Source};

/// An open file description: what `open` makes and descriptors share.
pub struct Description {
    object: Arc<dyn File>,
    flags: AtomicU32,
    /// The position; for directories the cookie.
    position: Position,
    /// The path that it was opened by, for /proc.
    path: Box<[u8]>,
    /// Who is told of events by a signal, once somebody has asked for it.
    async_notice: Once<Arc<AsyncNotice>>,
}

impl Description {
    /// Opens an object.
    pub fn new(object: Arc<dyn File>, flags: OpenFlags, path: &[u8]) -> Arc<Self> {
        let flags = AtomicU32::new(flags.bits());
        Arc::new(Self {
            object,
            flags,
            position: Position::default(),
            path: path.into(),
            async_notice: Once::new(),
        })
    }

    /// The object.
    pub fn object(&self) -> &Arc<dyn File> {
        &self.object
    }

    /// The object, if it is of this type.
    pub fn object_as<T: File>(&self) -> Option<&T> {
        self.object.as_any().downcast_ref()
    }

    /// The flags.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// F_SETFL: changes those flags that may change.
    pub fn set_flags(&self, flags: OpenFlags) {
        let kept = self.flags() - OpenFlags::SETTABLE;
        self.flags
            .store((kept | (flags & OpenFlags::SETTABLE)).bits(), Ordering::Relaxed);
    }

    /// Who is told of events by a signal.
    pub fn async_notice(&self) -> Arc<AsyncNotice> {
        self.async_notice.get_or_make(AsyncNotice::new).clone()
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    fn how(&self) -> How {
        let flags = self.flags();
        How {
            nonblocking: flags.contains(OpenFlags::O_NONBLOCK),
            append: flags.contains(OpenFlags::O_APPEND),
        }
    }

    /// `read`.
    pub fn read(&self, to: &mut dyn Sink) -> Result<usize> {
        if !self.flags().readable() {
            return Err(Errno::EBADF);
        }
        if !self.object.is_seekable() {
            return self.object.read(0, to, self.how());
        }
        let position = self.position.lock();
        let count = self.object.read(position.at(), to, self.how())?;
        position.set(position.at() + count as u64);
        Ok(count)
    }

    /// `write`.
    pub fn write(&self, from: &mut dyn Source) -> Result<usize> {
        if !self.flags().writable() {
            return Err(Errno::EBADF);
        }
        if !self.object.is_seekable() {
            return Ok(self.object.write(0, from, self.how())?.0);
        }
        let position = self.position.lock();
        let (count, end) = self.object.write(position.at(), from, self.how())?;
        position.set(end);
        Ok(count)
    }

    /// `pread`.
    pub fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Result<usize> {
        if !self.object.is_seekable() && !self.object.ignores_positions() {
            return Err(Errno::ESPIPE);
        }
        if !self.flags().readable() {
            return Err(Errno::EBADF);
        }
        self.object.read(offset, to, self.how())
    }

    /// `pwrite`; as on Linux, an open file with O_APPEND appends all the same.
    pub fn write_at(&self, offset: u64, from: &mut dyn Source) -> Result<usize> {
        if !self.object.is_seekable() && !self.object.ignores_positions() {
            return Err(Errno::ESPIPE);
        }
        if !self.flags().writable() {
            return Err(Errno::EBADF);
        }
        Ok(self.object.write(offset, from, self.how())?.0)
    }

    /// `pwritev2` with RWF_APPEND: writes at the end of the file. The position moves only if there is no `offset`.
    pub fn append(&self, offset: Option<u64>, from: &mut dyn Source) -> Result<usize> {
        if !self.object.is_seekable() {
            return self.write(from);
        }
        if !self.flags().writable() {
            return Err(Errno::EBADF);
        }
        let how = How {
            append: true,
            ..self.how()
        };
        let position = self.position.lock();
        let (count, end) = self.object.write(position.at(), from, how)?;
        if offset.is_none() {
            position.set(end);
        }
        Ok(count)
    }

    /// `lseek`.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64> {
        if self.flags().contains(OpenFlags::O_PATH) {
            return Err(Errno::EBADF);
        }
        if !self.object.is_seekable() {
            return match self.object.ignores_positions() {
                true => Ok(0),
                false => Err(Errno::ESPIPE),
            };
        }
        if (offset, whence) == (0, Whence::SEEK_CUR) {
            return Ok(self.position());
        }
        let position = self.position.lock();
        let base = match whence {
            Whence::SEEK_SET => 0,
            Whence::SEEK_CUR => position.at(),
            Whence::SEEK_END => self.object.end()?,
            Whence::SEEK_DATA | Whence::SEEK_HOLE => {
                let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
                position.set(self.object.seek_data(from, whence == Whence::SEEK_HOLE)?);
                return Ok(position.at());
            }
            _ => return Err(Errno::EINVAL),
        };
        let target = base.checked_add_signed(offset).ok_or(Errno::EINVAL)?;
        if target > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        position.set(target);
        Ok(target)
    }

    /// `getdents64`.
    pub fn read_directory(&self, sink: &mut dyn DirectorySink) -> Result<()> {
        if self.flags().contains(OpenFlags::O_PATH) {
            return Err(Errno::EBADF);
        }
        let position = self.position.lock();
        position.set(self.object.read_directory(position.at(), sink)?);
        Ok(())
    }

    /// The position, for who only asks: as on Linux, without waiting for a read that is under way.
    pub fn position(&self) -> u64 {
        self.position.value.load(Ordering::Relaxed)
    }
}

/// Where an open file is: moved under a lock, read without.
#[derive(Default)]
struct Position {
    value: AtomicU64,
    moving: Mutex<()>,
}

/// Keeps a position from being moved by others.
struct PositionGuard<'a> {
    value: &'a AtomicU64,
    _moving: MutexGuard<'a, ()>,
}

impl Position {
    fn lock(&self) -> PositionGuard<'_> {
        PositionGuard {
            value: &self.value,
            _moving: self.moving.lock(),
        }
    }
}

impl PositionGuard<'_> {
    fn at(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    fn set(&self, position: u64) {
        self.value.store(position, Ordering::Relaxed);
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        let flags = self.flags();
        match self.object.named() {
            Some(named) => named.closing(flags),
            None => self.object.closing(flags),
        }
        self.object.close();
    }
}
