//! What can be read, written and polled.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use host_abi::HostFd;
use linux_abi::{AllocateFlags, Ioctl, OpenFlags, PollEvents};

use crate::wait::Observer;
use crate::{Attributes, Errno, FileKind, Result, Sink, Source, Stat, Subscription};

/// How an operation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// EAGAIN instead of waiting.
    pub nonblocking: bool,
    /// Writes go to the end of the file.
    pub append: bool,
}

impl How {
    /// Waits, does not append.
    pub const PLAIN: Self = Self {
        nonblocking: false,
        append: false,
    };
}

/// An object behind open files: a regular file, a directory, a pipe's end, a socket, a device, an epoll instance.
///
/// Methods that a kind of object does not have give what Linux gives: the defaults here.
pub trait File: Send + Sync + Any {
    /// For `downcast_ref`.
    fn as_any(&self) -> &dyn Any;

    /// What `fstat` says.
    fn stat(&self) -> Result<Stat>;

    /// The attributes that `fchmod` and its kin change, of an object of no file system; `None` for what nobody changes.
    fn attributes(&self) -> Option<&Attributes> {
        None
    }

    /// The file that it was opened by, of an object that has a name in a file system without being a file of it: a FIFO.
    fn named(&self) -> Option<&Arc<dyn File>> {
        None
    }

    /// Whether it has positions: then reads and writes take an offset and a [`crate::Description`] keeps one.
    /// Otherwise offsets are ignored.
    fn is_seekable(&self) -> bool {
        false
    }

    /// Whether it takes positions and ignores them, as `/dev/null` does: `lseek` gives 0, `pread` reads.
    fn ignores_positions(&self) -> bool {
        false
    }

    /// What an `open` of `/proc/self/fd/N` (so of `/dev/stdout`) gives for an object that no path leads to; ENXIO for what cannot be
    /// opened that way. [`File::close`] is called once for each open file.
    fn reopen(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        let _ = flags;
        Err(Errno::ENXIO)
    }

    /// Reads at most as much as `to` takes. 0 at the end.
    fn read(&self, offset: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        let _ = (offset, to, how);
        Err(Errno::EINVAL)
    }

    /// Writes what `from` has, or the first part of it; gives how much, and for a seekable file the position behind it
    /// (which with `how.append` is at its end).
    fn write(&self, offset: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        let _ = (offset, from, how);
        Err(Errno::EINVAL)
    }

    /// Lines of `/proc/PID/fdinfo` that objects of this kind have besides, each with its newline (proc_pid_fdinfo(5)).
    fn info(&self) -> String {
        String::new()
    }

    /// Bytes, for SEEK_END. Only asked of seekable objects.
    fn end(&self) -> Result<u64> {
        Ok(self.stat()?.size)
    }

    /// Where the next data (or hole) at or after `offset` begins; ENXIO beyond the end (SEEK_DATA, SEEK_HOLE).
    fn seek_data(&self, offset: u64, hole: bool) -> Result<u64> {
        let len = self.end()?;
        match offset < len {
            true => Ok(if hole { len } else { offset }),
            false => Err(Errno::ENXIO),
        }
    }

    /// Which of `interest`, and of what is reported unasked, is the case now. For an object with a [`File::host_fd`] this is what is
    /// known without asking the host.
    fn poll(&self, interest: PollEvents) -> PollEvents {
        interest & (PollEvents::READABLE | PollEvents::WRITABLE)
    }

    /// Lets `observer` be told of changes. `None` if the object never changes, or only the host knows.
    fn subscribe(
        &self,
        interest: PollEvents,
        observer: alloc::sync::Weak<dyn Observer>,
    ) -> Option<Subscription> {
        let _ = (interest, observer);
        None
    }

    /// The host's descriptor whose readiness is this object's.
    fn host_fd(&self) -> Option<HostFd> {
        None
    }

    /// Hands out directory entries from `cookie` on (0 at first) until `sink` refuses one; gives the cookie to go on from.
    fn read_directory(&self, cookie: u64, sink: &mut dyn DirectorySink) -> Result<u64> {
        let _ = (cookie, sink);
        Err(Errno::ENOTDIR)
    }

    /// `ioctl`: the argument is an address or a number. ENOTTY for what the object does not know.
    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        let _ = (request, argument);
        Err(Errno::ENOTTY)
    }

    /// `ftruncate`.
    fn truncate(&self, len: u64) -> Result<()> {
        let _ = len;
        Err(Errno::EINVAL)
    }

    /// `fallocate`.
    fn allocate(&self, mode: AllocateFlags, offset: u64, len: u64) -> Result<()> {
        let _ = (mode, offset, len);
        Err(Errno::ENODEV)
    }

    /// `fsync`, `fdatasync`.
    fn sync(&self) -> Result<()> {
        Err(Errno::EINVAL)
    }

    /// What `mmap` maps; ENODEV for what cannot be mapped.
    fn mapping(self: Arc<Self>) -> Result<Arc<dyn Mapping>> {
        Err(Errno::ENODEV)
    }

    /// An open file with these flags is about to be closed, for who watches that.
    fn closing(&self, flags: OpenFlags) {
        let _ = flags;
    }

    /// The last descriptor of an open file is closed.
    fn close(&self) {}
}

/// A file's contents, as memory mappings need them.
///
/// `mm` calls these when it populates or writes back pages; never while a program's memory is being copied under a lock of
/// the file's own (see `enclave_rt::user`).
#[expect(
    clippy::len_without_is_empty,
    reason = "an empty file is mapped like any other"
)]
pub trait Mapping: Send + Sync {
    /// Fills `out` from `offset` on (a multiple of 4096), with zeros behind the end of the file; gives how many bytes are of the file.
    fn read_pages(&self, offset: u64, out: &mut [u8]) -> Result<usize>;

    /// Writes back pages of a shared mapping; what lies behind the end of the file is dropped.
    fn write_pages(&self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Bytes of the file now: pages wholly behind it raise SIGBUS.
    fn len(&self) -> u64;

    /// A number that is the same for all mappings of the same file: device and inode.
    fn identity(&self) -> (u64, u64);

    /// The number by which the image's call-site map knows the file, if it is an unchanged file of the image.
    fn call_site_key(&self) -> Option<u64> {
        None
    }

    /// The path for /proc/self/maps.
    fn path(&self) -> Vec<u8>;

    /// Whether all of this range (whole pages) is known to be zeros without reading it.
    fn is_zeros(&self, offset: u64, len: u64) -> bool {
        let _ = (offset, len);
        false
    }

    /// Whether anybody can see the bytes when no mapping is left.
    fn outlives_mappings(&self) -> bool {
        true
    }

    /// The identifier of the System V shared memory segment that it is.
    fn segment(&self) -> Option<i32> {
        None
    }

    /// A process does not map a part of the file any more. Called under locks: it must take none that others hold while they map.
    fn unmapped(&self) {}

    /// Where mappings of the file that are shared meet, so that all see the same bytes: `mm` stores its own object here.
    /// A file that cannot be written needs none.
    fn shared_pages(&self) -> Option<&SharedPagesSlot> {
        None
    }
}

/// A file's place for its pages that lie in programs' memory, shared.
pub type SharedPagesSlot = crate::Mutex<Option<alloc::sync::Weak<dyn SharedPages>>>;

/// The pages of a file that lie in programs' memory, shared. While they do, they *are* the file's contents there, so who reads or
/// writes the file's own pages does it through these.
///
/// Called with no lock held that [`Mapping::read_pages`] or [`Mapping::write_pages`] takes.
pub trait SharedPages: Any + Send + Sync {
    /// Reads from `offset`, within one page, if that page lies in memory; whether it does.
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<bool>;

    /// Lets `file` write `bytes` at `offset`, within one page, to the file's own pages, and writes them to the page in memory too if there
    /// is one. No page comes to lie in memory or leaves it meanwhile.
    fn write(&self, offset: u64, bytes: &[u8], file: &mut dyn FnMut() -> Result<()>) -> Result<()>;

    /// Lets `file` make this range of the file zeros, or cut it off (the range then ends at `u64::MAX`), and does the same to pages in
    /// memory; those that lie wholly in it leave.
    fn zero(&self, range: core::ops::Range<u64>, file: &mut dyn FnMut() -> Result<()>) -> Result<()>;
}

/// A directory entry.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntry<'a> {
    /// Inode number.
    pub inode: u64,
    /// Cookie of the entry after this one.
    pub next: u64,
    /// What it is.
    pub kind: FileKind,
    /// Its name.
    pub name: &'a [u8],
}

/// Takes directory entries.
pub trait DirectorySink {
    /// Takes one, or refuses it because it is full.
    fn entry(&mut self, entry: DirectoryEntry<'_>) -> core::ops::ControlFlow<()>;
}
