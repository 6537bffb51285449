//! Waiting for several descriptors.

use crate::{Answer, CallCode, CallError, HostCall, HostFd, STAGING_SIZE, Wait};

/// One descriptor of a [`Poll`], 8 bytes in the staging buffer: descriptor (4), events asked for (2), events
/// that happened (2), little endian; events are Linux's POLL bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntry {
    /// The descriptor.
    pub fd: HostFd,
    /// Which events are asked for.
    pub events: u16,
    /// Which have happened.
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

/// `ppoll` on the entries in the staging buffer; the answer is how many of them have events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// How many entries.
    pub count: usize,
    /// How long it may block.
    pub wait: Wait,
}

impl Poll {
    /// Most entries of one call.
    pub const MOST: usize = STAGING_SIZE / PollEntry::SIZE;
}

impl HostCall for Poll {
    const CODE: CallCode = CallCode::Poll;
    type Answer = usize;

    fn to_args(&self) -> [u64; 6] {
        [self.count as u64, self.wait.raw(), 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let count = usize::try_from(args[0])
            .ok()
            .filter(|&count| count <= Self::MOST)?;
        Some(Self {
            count,
            wait: Wait::nanoseconds(args[1]),
        })
    }

    fn check(&self, answer: Answer) -> Result<usize, CallError> {
        answer.count(self.count)
    }
}

/// Makes an epoll instance on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollCreate;

impl HostCall for EpollCreate {
    const CODE: CallCode = CallCode::EpollCreate;
    type Answer = HostFd;

    fn to_args(&self) -> [u64; 6] {
        [0; 6]
    }

    fn from_args(_: [u64; 6]) -> Option<Self> {
        Some(Self)
    }

    fn check(&self, answer: Answer) -> Result<HostFd, CallError> {
        HostFd::check(answer)
    }
}

/// What [`EpollControl`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpollOperation {
    /// EPOLL_CTL_ADD
    Add = 1,
    /// EPOLL_CTL_DEL
    Delete = 2,
    /// EPOLL_CTL_MOD
    Modify = 3,
}

/// `epoll_ctl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollControl {
    /// The instance.
    pub epoll: HostFd,
    /// What to do.
    pub operation: EpollOperation,
    /// With which descriptor.
    pub fd: HostFd,
    /// Linux's EPOLL bits.
    pub events: u32,
    /// Comes back with each event.
    pub data: u64,
}

impl HostCall for EpollControl {
    const CODE: CallCode = CallCode::EpollControl;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [
            self.epoll.raw().into(),
            self.operation as u64,
            self.fd.raw().into(),
            self.events.into(),
            self.data,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let operation = match args[1] {
            1 => EpollOperation::Add,
            2 => EpollOperation::Delete,
            3 => EpollOperation::Modify,
            _ => return None,
        };
        Some(Self {
            epoll: HostFd::from_raw(args[0])?,
            operation,
            fd: HostFd::from_raw(args[2])?,
            events: args[3].try_into().ok()?,
            data: args[4],
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

/// `epoll_wait`: events come in the staging buffer, see [`EpollEvent`]; the answer is how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollWait {
    /// The instance.
    pub epoll: HostFd,
    /// Most events to return.
    pub most: usize,
    /// How long it may block.
    pub wait: Wait,
}

impl EpollWait {
    /// Most events of one call.
    pub const MOST: usize = STAGING_SIZE / EpollEvent::SIZE;
}

/// An event, 16 bytes in the staging buffer: EPOLL bits (4), zero (4), data (8), little endian. The data is
/// a claim: the receiver must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollEvent {
    /// Linux's EPOLL bits.
    pub events: u32,
    /// What [`EpollControl::data`] said.
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

impl HostCall for EpollWait {
    const CODE: CallCode = CallCode::EpollWait;
    type Answer = usize;

    fn to_args(&self) -> [u64; 6] {
        [
            self.epoll.raw().into(),
            self.most as u64,
            self.wait.raw(),
            0,
            0,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let most = usize::try_from(args[1])
            .ok()
            .filter(|&most| most > 0 && most <= Self::MOST)?;
        Some(Self {
            epoll: HostFd::from_raw(args[0])?,
            most,
            wait: Wait::nanoseconds(args[2]),
        })
    }

    fn check(&self, answer: Answer) -> Result<usize, CallError> {
        answer.count(self.most)
    }
}
