//! Where bytes go to and come from.

use alloc::vec::Vec;

use enclave_rt::untrusted::HostMemory;
use enclave_rt::user::{self, Address};

use crate::{Errno, Result};

/// One piece of a program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoVec {
    /// Where it begins.
    pub base: Address,
    /// Bytes.
    pub len: usize,
}

/// Takes bytes.
pub trait Sink {
    /// How many more it takes.
    fn room(&self) -> usize;

    /// Takes all of `bytes`, which are at most [`Sink::room`]. EFAULT if memory cannot be written.
    fn put(&mut self, bytes: &[u8]) -> Result<()>;

    /// Takes as many zeros.
    fn put_zeros(&mut self, count: usize) -> Result<()>;

    /// Takes all of a piece of the host's memory.
    fn put_untrusted(&mut self, bytes: HostMemory) -> Result<()>;
}

/// Gives bytes.
pub trait Source {
    /// How many more it gives.
    fn left(&self) -> usize;

    /// Fills `out`, which is at most [`Source::left`] long. EFAULT if memory cannot be read.
    fn take(&mut self, out: &mut [u8]) -> Result<()>;

    /// Fills a piece of the host's memory.
    fn take_untrusted(&mut self, out: HostMemory) -> Result<()>;
}

/// The pieces of a program's memory that one operation uses, in turn.
struct Pieces<'a> {
    pieces: &'a [IoVec],
    /// Bytes of the first piece that are done with.
    done: usize,
    left: usize,
}

impl<'a> Pieces<'a> {
    fn new(pieces: &'a [IoVec]) -> Self {
        let left = pieces
            .iter()
            .fold(0usize, |sum, piece| sum.saturating_add(piece.len));
        Self {
            pieces,
            done: 0,
            left,
        }
    }

    /// Hands the next `len` bytes to `each`, piece by piece: address, offset from the first byte, length.
    fn advance(
        &mut self,
        len: usize,
        mut each: impl FnMut(Address, usize, usize) -> Result<()>,
    ) -> Result<()> {
        let mut offset = 0;
        while offset < len {
            let (piece, rest) = self.pieces.split_first().ok_or(Errno::EFAULT)?;
            let count = (piece.len - self.done).min(len - offset);
            each(piece.base + self.done as u64, offset, count)?;
            offset += count;
            self.left -= count;
            self.done += count;
            if self.done == piece.len {
                (self.pieces, self.done) = (rest, 0);
            }
        }
        Ok(())
    }
}

/// Takes bytes into a program's memory.
pub struct UserSink<'a>(Pieces<'a>);

impl<'a> UserSink<'a> {
    /// Into these pieces, one after the other.
    pub fn new(pieces: &'a [IoVec]) -> Self {
        Self(Pieces::new(pieces))
    }
}

impl Sink for UserSink<'_> {
    fn room(&self) -> usize {
        self.0.left
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.advance(bytes.len(), |address, offset, count| {
            let part = bytes.get(offset..offset + count).ok_or(Errno::EFAULT)?;
            Ok(user::write(address, part)?)
        })
    }

    fn put_zeros(&mut self, count: usize) -> Result<()> {
        self.0
            .advance(count, |address, _, count| Ok(user::zero(address, count)?))
    }

    fn put_untrusted(&mut self, bytes: HostMemory) -> Result<()> {
        self.0.advance(bytes.len(), |address, offset, count| {
            Ok(user::write_untrusted(address, bytes.part(offset, count), count)?)
        })
    }
}

/// Gives bytes of a program's memory.
pub struct UserSource<'a>(Pieces<'a>);

impl<'a> UserSource<'a> {
    /// From these pieces, one after the other.
    pub fn new(pieces: &'a [IoVec]) -> Self {
        Self(Pieces::new(pieces))
    }
}

impl Source for UserSource<'_> {
    fn left(&self) -> usize {
        self.0.left
    }

    fn take(&mut self, out: &mut [u8]) -> Result<()> {
        self.0.advance(out.len(), |address, offset, count| {
            let part = out.get_mut(offset..offset + count).ok_or(Errno::EFAULT)?;
            Ok(user::read(address, part)?)
        })
    }

    fn take_untrusted(&mut self, out: HostMemory) -> Result<()> {
        self.0.advance(out.len(), |address, offset, count| {
            Ok(user::read_untrusted(address, out.part(offset, count), count)?)
        })
    }
}

/// Takes bytes into a vector, up to a limit.
pub struct KernelSink {
    bytes: Vec<u8>,
    limit: usize,
}

impl KernelSink {
    /// Takes at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }

    /// How much it has taken.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What it has taken.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sink for KernelSink {
    fn room(&self) -> usize {
        self.limit - self.bytes.len()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn put_zeros(&mut self, count: usize) -> Result<()> {
        self.bytes.resize(self.bytes.len() + count, 0);
        Ok(())
    }

    fn put_untrusted(&mut self, bytes: HostMemory) -> Result<()> {
        let start = self.bytes.len();
        self.bytes.resize(start + bytes.len(), 0);
        bytes.read(self.bytes.get_mut(start..).unwrap_or_default());
        Ok(())
    }
}

/// Gives bytes of a slice.
pub struct KernelSource<'a>(pub &'a [u8]);

impl Source for KernelSource<'_> {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, out: &mut [u8]) -> Result<()> {
        let (head, rest) = self.0.split_at_checked(out.len()).ok_or(Errno::EFAULT)?;
        out.copy_from_slice(head);
        self.0 = rest;
        Ok(())
    }

    fn take_untrusted(&mut self, out: HostMemory) -> Result<()> {
        let (head, rest) = self.0.split_at_checked(out.len()).ok_or(Errno::EFAULT)?;
        out.write(head);
        self.0 = rest;
        Ok(())
    }
}
