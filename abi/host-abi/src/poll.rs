//! Entries of `poll` and events of `epoll`, as they lie in the staging buffer.

use crate::{CallError, HostFd};

/// One descriptor of a [`crate::Poll`], 8 bytes in the staging buffer: descriptor (4), events asked for (2), events
/// that happened (2), little endian; events are Linux's POLL bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntry {
    /// The descriptor.
    pub fd: HostFd,
    /// Events that are asked for.
    pub events: u16,
    /// Events that have happened.
    pub happened: u16,
}

impl PollEntry {
    /// Bytes of an entry.
    pub const SIZE: usize = 8;
    /// POLLERR, POLLHUP and POLLNVAL may happen unasked.
    pub const UNASKED: u16 = 0x8 | 0x10 | 0x20;

    /// The bytes of the entry.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let word = u64::from(self.fd.raw()) | u64::from(self.events) << 32 | u64::from(self.happened) << 48;
        word.to_le_bytes()
    }

    /// The entry from its bytes; `None` when they mean nothing.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let word = u64::from_le_bytes(bytes);
        let fd = HostFd::from_raw(word & 0xffff_ffff)?;
        Some(Self {
            fd,
            events: (word >> 32) as u16,
            happened: (word >> 48) as u16,
        })
    }

    /// The events that `answered` (the host's copy of this entry) may claim.
    pub fn check(self, answered: [u8; Self::SIZE]) -> Result<u16, CallError> {
        let happened = (u64::from_le_bytes(answered) >> 48) as u16;
        if happened & !(self.events | Self::UNASKED) != 0 {
            return Err(CallError::Lie("an event that nobody asked for"));
        }
        Ok(happened)
    }
}

/// What [`crate::EpollControl`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpollOperation {
    /// EPOLL_CTL_ADD
    Add = 1,
    /// EPOLL_CTL_DEL
    Delete = 2,
    /// EPOLL_CTL_MOD
    Modify = 3,
}

/// An event, 16 bytes in the staging buffer: EPOLL bits (4), zero (4), data (8), little endian. The data is
/// a claim: the receiver must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollEvent {
    /// Linux's EPOLL bits.
    pub events: u32,
    /// What [`crate::EpollControl::data`] said.
    pub data: u64,
}

impl EpollEvent {
    /// Bytes of an event.
    pub const SIZE: usize = 16;

    /// The bytes of the event.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        (u128::from(self.events) | u128::from(self.data) << 64).to_le_bytes()
    }

    /// The event from its bytes.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let word = u128::from_le_bytes(bytes);
        Self {
            events: word as u32,
            data: (word >> 64) as u64,
        }
    }
}
