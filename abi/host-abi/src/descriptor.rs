//! The host's descriptors: numbers, and what is done with any of them.

use crate::{Answer, CallCode, CallError, HostCall};

/// A descriptor of the host's process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct HostFd(u32);

impl HostFd {
    /// Standard input.
    pub const STDIN: Self = Self(0);
    /// Standard output.
    pub const STDOUT: Self = Self(1);
    /// Standard error.
    pub const STDERR: Self = Self(2);

    /// The descriptor with this number, below 2^30 as on Linux.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw < 1 << 30 {
            Some(Self(raw as u32))
        } else {
            None
        }
    }

    /// The number.
    pub const fn raw(self) -> u32 {
        self.0
    }

    pub(crate) fn check(answer: Answer) -> Result<Self, CallError> {
        // The standard streams are never handed out as something new.
        match Self::from_raw(answer.value()?) {
            Some(fd) if fd.0 > 2 => Ok(fd),
            _ => Err(CallError::Lie("an impossible descriptor")),
        }
    }
}

/// How many bytes can be read at once (FIONREAD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The socket or stream.
    pub fd: HostFd,
}

impl HostCall for Unread {
    const CODE: CallCode = CallCode::Unread;
    type Answer = usize;

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), 0, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
        })
    }

    fn check(&self, answer: Answer) -> Result<usize, CallError> {
        answer.count(i32::MAX as usize)
    }
}

/// Closes a descriptor that an earlier call returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The descriptor.
    pub fd: HostFd,
}

impl HostCall for Close {
    const CODE: CallCode = CallCode::Close;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), 0, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}
