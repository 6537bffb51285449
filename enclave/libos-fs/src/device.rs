//! The devices under `/dev`.

use alloc::sync::Arc;

use enclave_rt::{processor, user};
use kobject::{Errno, File, Result, Sink, Source};
use linux_abi::device::{self, UNIX98_PTY_SLAVE_MAJOR};
use linux_abi::stat::major;
use linux_abi::{Ioctl, OpenFlags};

use crate::context::At;
use crate::dentry::Dentry;
use crate::open_file::OpenFile;
use crate::system::System;
use crate::vfs::Vfs;

/// Makes what is in `/dev`. `/dev/shm` is there already.
pub(crate) fn make_nodes(vfs: &Vfs) -> Result<()> {
    let nodes: [(&[u8], u64); 7] = [
        (b"/dev/null", device::DEV_NULL),
        (b"/dev/zero", device::DEV_ZERO),
        (b"/dev/full", device::DEV_FULL),
        (b"/dev/random", device::DEV_RANDOM),
        (b"/dev/urandom", device::DEV_URANDOM),
        (b"/dev/tty", device::DEV_TTY),
        (b"/dev/pts/ptmx", device::DEV_PTMX),
    ];
    for (path, number) in nodes {
        vfs.make_device(path, number)?;
    }
    let links: [(&[u8], &[u8]); 5] = [
        (b"/dev/fd", b"/proc/self/fd"),
        (b"/dev/ptmx", b"pts/ptmx"),
        (b"/dev/stdin", b"/proc/self/fd/0"),
        (b"/dev/stdout", b"/proc/self/fd/1"),
        (b"/dev/stderr", b"/proc/self/fd/2"),
    ];
    let context = vfs.root_context();
    for (path, target) in links {
        vfs.make_symlink(&context, target, At::Cwd, path)?;
    }
    Ok(())
}

/// Opens the character device of this number; ENXIO if there is none.
pub(crate) fn open(
    system: &Arc<dyn System>,
    number: u64,
    flags: OpenFlags,
    this: &Arc<Dentry>,
) -> Result<Arc<dyn File>> {
    if is_terminal(number) {
        return system.open_terminal(number, flags, OpenFile::of(this));
    }
    Ok(OpenFile::of_device(this, Device::of_number(number)?))
}

fn is_terminal(number: u64) -> bool {
    matches!(number, device::DEV_TTY | device::DEV_PTMX) || major(number) == UNIX98_PTY_SLAVE_MAJOR
}

/// A device that is no object of another crate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Full,
    Random,
}

/// Bits of entropy, as /proc/sys/kernel/random/entropy_avail says.
const ENTROPY: u32 = 256;

/// How many bytes are handed on at once.
const CHUNK: usize = 256;

impl Device {
    /// The device of this number (devices.txt of the kernel); ENXIO.
    fn of_number(number: u64) -> Result<Self> {
        match number {
            device::DEV_NULL => Ok(Self::Null),
            device::DEV_ZERO => Ok(Self::Zero),
            device::DEV_FULL => Ok(Self::Full),
            device::DEV_RANDOM | device::DEV_URANDOM => Ok(Self::Random),
            _ => Err(Errno::ENXIO),
        }
    }

    pub(crate) fn read(self, to: &mut dyn Sink) -> Result<usize> {
        let count = to.room();
        match self {
            Self::Null => Ok(0),
            Self::Zero | Self::Full => {
                to.put_zeros(count)?;
                Ok(count)
            }
            Self::Random => {
                while to.room() > 0 {
                    let mut bytes = [0; CHUNK];
                    let part = bytes.get_mut(..to.room().min(CHUNK)).ok_or(Errno::EIO)?;
                    processor::random(part);
                    to.put(part)?;
                }
                Ok(count)
            }
        }
    }

    /// What it is asked besides; ENOTTY.
    pub(crate) fn ioctl(self, request: Ioctl, argument: u64) -> Result<u64> {
        match (self, request) {
            // Linux's pool is always full once it has begun.
            (Self::Random, Ioctl::RNDGETENTCNT) => {
                user::write(argument, &ENTROPY.to_ne_bytes())?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    pub(crate) fn write(self, from: &mut dyn Source) -> Result<usize> {
        let count = from.left();
        match self {
            Self::Null | Self::Zero => Ok(count),
            Self::Full if count > 0 => Err(Errno::ENOSPC),
            Self::Full => Ok(0),
            // The processor's generator takes no entropy from anybody; but the bytes must be readable, as on Linux.
            Self::Random => {
                while from.left() > 0 {
                    let mut bytes = [0; CHUNK];
                    let part = bytes.get_mut(..from.left().min(CHUNK)).ok_or(Errno::EIO)?;
                    from.take(part)?;
                }
                Ok(count)
            }
        }
    }
}
