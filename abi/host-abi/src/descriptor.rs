//! The host's descriptors.

use crate::{Answer, CallError};

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

    /// The descriptor that an answer hands out.
    pub(crate) fn check(answer: Answer) -> Result<Self, CallError> {
        // The standard streams are never handed out as something new.
        match Self::from_raw(answer.value()?) {
            Some(fd) if fd.0 > 2 => Ok(fd),
            _ => Err(CallError::Lie("an impossible descriptor")),
        }
    }
}
