//! Entries of `poll` and events of `epoll`, as they lie in the staging buffer.

use crate::{Answer, CallError, Errno, HostFd};

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

/// An event of an epoll instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollEvent {
    /// Linux's EPOLL bits.
    pub events: u32,
    /// What [`crate::EpollControl::data`] said.
    pub data: u64,
}

/// An event as the host answers it, 16 bytes in the staging buffer: EPOLL bits (4), what was received ahead (4), data (8), little
/// endian. The data is a claim: the receiver must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyEvent {
    /// What has happened.
    pub event: EpollEvent,
    /// What `recv` gave that was called ahead: bytes, 0 at the end of the stream, or a negated error number; that of EAGAIN if
    /// nothing was received, or nobody tried.
    ahead: i32,
}

impl ReadyEvent {
    /// Bytes of an event.
    pub const SIZE: usize = 16;
    /// Most bytes that are received ahead for one event.
    pub const MAX_LEN: usize = 16 * 1024;
    /// What was received ahead begins at multiples of this.
    pub const ALIGNMENT: usize = 16;

    /// An event, and the result of `recv`, as the kernel gives it.
    pub fn new(event: EpollEvent, ahead: i64) -> Self {
        let nothing = i32::from(Errno::EAGAIN.raw()).wrapping_neg();
        let ahead = i32::try_from(ahead).unwrap_or(nothing);
        Self { event, ahead }
    }

    /// How many bytes were received ahead: 0 at the end of the stream, EAGAIN for nothing.
    ///
    /// # Errors
    /// What `recv` gave, or that no `recv` gives that.
    pub fn ahead(self) -> Result<usize, CallError> {
        let answer = Answer {
            value: self.ahead.into(),
            extra: [0; 2],
        };
        answer.count(Self::MAX_LEN)
    }

    /// The bytes of the event.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let Self { event, ahead } = self;
        let word =
            u128::from(event.events) | u128::from(ahead.cast_unsigned()) << 32 | u128::from(event.data) << 64;
        word.to_le_bytes()
    }

    /// The event from its bytes.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let word = u128::from_le_bytes(bytes);
        Self {
            event: EpollEvent {
                events: word as u32,
                data: (word >> 64) as u64,
            },
            ahead: ((word >> 32) as u32).cast_signed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_ahead_is_bounded() {
        let event = EpollEvent {
            events: 5,
            data: u64::MAX - 1,
        };
        let told = |ahead| {
            let event = ReadyEvent::new(event, ahead);
            assert_eq!(ReadyEvent::from_bytes(event.to_bytes()), event);
            event.ahead()
        };
        assert_eq!(told(0), Ok(0));
        assert_eq!(told(ReadyEvent::MAX_LEN as i64), Ok(ReadyEvent::MAX_LEN));
        assert!(matches!(
            told(ReadyEvent::MAX_LEN as i64 + 1),
            Err(CallError::Lie(_))
        ));
        assert!(matches!(told(i32::MIN.into()), Err(CallError::Lie(_))));
        assert_eq!(told(-104), Err(CallError::Errno(Errno::ECONNRESET)));
        assert_eq!(told(i64::MIN), Err(CallError::Errno(Errno::EAGAIN)));
    }
}
