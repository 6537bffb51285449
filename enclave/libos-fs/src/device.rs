//! Devices: what `/dev`'s nodes do.

use alloc::sync::Arc;

use enclave_rt::processor;
use kobject::{Errno, File, Result, Sink, Source, Stat};

use crate::context::At;
use crate::dentry::Dentry;
use crate::open_file::OpenFile;
use crate::system::System;
use crate::vfs::Vfs;

/// `/dev/tty`: the controlling terminal of whoever opens it.
const TERMINAL: u64 = Stat::device_number(5, 0);

/// Makes what is in `/dev`. `/dev/shm` is there already.
pub(crate) fn make_nodes(vfs: &Vfs) -> Result<()> {
    let nodes: [(&[u8], u32, u32); 6] = [
        (b"/dev/null", 1, 3),
        (b"/dev/zero", 1, 5),
        (b"/dev/full", 1, 7),
        (b"/dev/random", 1, 8),
        (b"/dev/urandom", 1, 9),
        (b"/dev/tty", 5, 0),
    ];
    for (path, major, minor) in nodes {
        vfs.make_device(path, major, minor)?;
    }
    let links: [(&[u8], &[u8]); 4] = [
        (b"/dev/fd", b"/proc/self/fd"),
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
pub(crate) fn open(system: &Arc<dyn System>, number: u64, this: &Arc<Dentry>) -> Result<Arc<dyn File>> {
    if number == TERMINAL {
        return system.terminal().ok_or(Errno::ENXIO);
    }
    Ok(OpenFile::of_device(this, Device::of_number(number)?))
}

/// A device that is no object of another crate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Full,
    Random,
}

/// How many bytes are handed on at once.
const CHUNK: usize = 256;

impl Device {
    /// The device of this number (devices.txt of the kernel); ENXIO.
    fn of_number(number: u64) -> Result<Self> {
        const MEMORY: u32 = 1;
        let is = |minor| number == Stat::device_number(MEMORY, minor);
        match () {
            () if is(3) => Ok(Self::Null),
            () if is(5) => Ok(Self::Zero),
            () if is(7) => Ok(Self::Full),
            () if is(8) || is(9) => Ok(Self::Random),
            () => Err(Errno::ENXIO),
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
