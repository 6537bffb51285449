//! What a thread sends with its next call.
//!
//! A thread's call area has an *outbox* behind the staging buffer. Small pieces that a program sends on a connected stream are **posted**
//! there, without a call; the host sends them, in their order, when the thread next makes one, before it serves it. While the host
//! says that it *watches* the outboxes, it also looks at them each [`WATCH_NANOSECONDS`]: no piece waits longer than twice that, however
//! long its thread computes. While it does not say so, nothing is posted.
//!
//! | bytes | what | written by |
//! | --- | --- | --- |
//! | 0 to 7 | how many pieces there are | the enclave; the host sets it to 0 at a call |
//! | 8 to 15 | 1 while the host watches | the host |
//! | from 64 on | [`Posted`], 16 bytes for each piece | the enclave, the last 8 by the host |
//! | from 4096 on | the pieces, each from a multiple of 16 on | the enclave |

use crate::{CallError, Errno, HostFd, OUTBOX_SIZE};

/// How often the host looks at the outboxes while it says that it watches them.
pub const WATCH_NANOSECONDS: u64 = 1_000_000;

/// One posted piece, 16 bytes: descriptor (4), bytes (4), what became of it (8), little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The stream.
    pub fd: HostFd,
    /// Bytes.
    pub len: u32,
    /// What `send` gave: as many bytes, or a negated error number. Fewer bytes: the host keeps the rest, and sends it when the network
    /// takes more.
    pub result: i64,
}

impl Posted {
    /// Bytes of an entry.
    pub const SIZE: usize = 16;
    /// Where the number of pieces is.
    pub const COUNT_OFFSET: usize = 0;
    /// Where the host says that it watches.
    pub const WATCHED_OFFSET: usize = 8;
    /// Where the entries begin.
    pub const ENTRIES_OFFSET: usize = 64;
    /// Where what became of the piece is in an entry.
    pub const RESULT_OFFSET: usize = 8;
    /// Where the pieces begin.
    pub const DATA_OFFSET: usize = 4096;
    /// Bytes of all pieces together.
    pub const ROOM: usize = OUTBOX_SIZE - Self::DATA_OFFSET;
    /// Most pieces.
    pub const MAX_COUNT: usize = 128;
    /// Most bytes of a piece.
    pub const MAX_LEN: usize = 16 * 1024;
    /// Pieces begin at multiples of this.
    pub const ALIGNMENT: usize = 16;

    /// The bytes of the entry.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let word = u128::from(self.fd.raw())
            | u128::from(self.len) << 32
            | u128::from(self.result.cast_unsigned()) << 64;
        word.to_le_bytes()
    }

    /// The entry from its bytes; `None` when they mean nothing.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let word = u128::from_le_bytes(bytes);
        let len = (word >> 32) as u32;
        (len as usize <= Self::MAX_LEN).then_some(())?;
        Some(Self {
            fd: HostFd::from_raw((word & 0xffff_ffff) as u64)?,
            len,
            result: ((word >> 64) as u64).cast_signed(),
        })
    }

    /// What has become of a piece of `len` bytes, as the host claims.
    ///
    /// # Errors
    /// What `send` gave, or that no `send` gives that.
    pub fn fate(len: usize, result: i64) -> Result<Fate, CallError> {
        match u64::try_from(result) {
            Ok(sent) if sent == len as u64 => Ok(Fate::Sent),
            Ok(sent) if sent < len as u64 => Ok(Fate::Kept),
            Ok(_) => Err(CallError::Lie("more than was posted")),
            Err(_) => {
                let errno = Errno::from_raw(result.unsigned_abs());
                Err(errno.map_or(CallError::Lie("unknown error number"), CallError::Errno))
            }
        }
    }
}

const _: () = assert!(Posted::ENTRIES_OFFSET + Posted::MAX_COUNT * Posted::SIZE <= Posted::DATA_OFFSET);

/// What has become of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The network has it.
    Sent,
    /// The network takes no more for now: the host has the rest.
    Kept,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_piece_is_one_of_few_things() {
        assert_eq!(Posted::fate(10, 10), Ok(Fate::Sent));
        assert_eq!(Posted::fate(10, 9), Ok(Fate::Kept));
        assert_eq!(Posted::fate(10, 0), Ok(Fate::Kept));
        assert_eq!(Posted::fate(10, -32), Err(CallError::Errno(Errno::EPIPE)));
        for lie in [11, i64::MAX, -4095, i64::MIN] {
            assert!(matches!(Posted::fate(10, lie), Err(CallError::Lie(_))), "{lie}");
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written_if_it_can_be_one() {
        let posted = Posted {
            fd: HostFd::from_raw(77).unwrap(),
            len: 16384,
            result: -11,
        };
        assert_eq!(Posted::from_bytes(posted.to_bytes()), Some(posted));
        assert_eq!(
            Posted::from_bytes(Posted { len: 16385, ..posted }.to_bytes()),
            None
        );
        assert_eq!(Posted::from_bytes([0xff; 16]), None);
    }
}
