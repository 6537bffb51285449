//! The record of one call and the area that it lies in.

use crate::argument::ARGUMENT_WORDS;
use crate::{CallCode, Errno};

/// Bytes of a call area: the record's page, then the staging buffer, then the outbox.
pub const AREA_SIZE: usize = OUTBOX_OFFSET + OUTBOX_SIZE;
/// Where the staging buffer begins in a call area.
pub const STAGING_OFFSET: usize = enclave_layout::PAGE_SIZE as usize;
/// Bytes of the staging buffer: what one call can carry.
pub const STAGING_SIZE: usize = 256 * 1024;
/// Where the outbox begins in a call area, see [`crate::Posted`].
pub const OUTBOX_OFFSET: usize = STAGING_OFFSET + STAGING_SIZE;
/// Bytes of the outbox.
pub const OUTBOX_SIZE: usize = 68 * 1024;
/// Bytes of a record.
pub const RECORD_SIZE: usize = 96;

/// A call and its answer, as they lie at the start of a call area. Little endian, words of 8 bytes: code,
/// six arguments, answer value, two extra answer words, pending host signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// A [`CallCode`].
    pub code: u64,
    /// The arguments of the call.
    pub args: [u64; ARGUMENT_WORDS],
    /// Non-negative: the result; negative: a negated error number.
    pub value: i64,
    /// Further results.
    pub extra: [u64; 2],
    /// Signals that the host's process has received (bit `n - 1` is signal `n`) and that the host asks the
    /// enclave to deliver. Written by the host, which clears them once a thread has been told.
    pub signals: u64,
    /// How many times the enclave has delivered signals of the host's, when the thread here last did. Written by the enclave, so that
    /// the host sees that somebody listens.
    pub deliveries: u64,
}

const _: () = assert!(size_of::<Record>() == RECORD_SIZE);

/// What the host answered, copied into the enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// See [`Record::value`].
    pub value: i64,
    /// See [`Record::extra`].
    pub extra: [u64; 2],
}

impl Answer {
    /// The non-negative value, or the error that the host reports.
    pub fn value(self) -> Result<u64, CallError> {
        match u64::try_from(self.value) {
            Ok(value) => Ok(value),
            Err(_) => {
                let errno = Errno::from_raw(self.value.unsigned_abs());
                Err(errno.map_or(CallError::Lie("unknown error number"), CallError::Errno))
            }
        }
    }

    /// For calls that return nothing.
    pub fn unit(self) -> Result<(), CallError> {
        match self.value()? {
            0 => Ok(()),
            _ => Err(CallError::Lie("a result where none was asked for")),
        }
    }

    /// For calls that return a count of at most `most`.
    pub fn count(self, most: usize) -> Result<usize, CallError> {
        match usize::try_from(self.value()?) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(CallError::Lie("more than was asked for")),
        }
    }
}

/// Why a call brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The host reports an error of Linux.
    Errno(Errno),
    /// The host answered what no honest host can: the reason.
    Lie(&'static str),
}

impl From<CallError> for Errno {
    /// A lie is an input/output error to the program.
    fn from(error: CallError) -> Self {
        match error {
            CallError::Errno(errno) => errno,
            CallError::Lie(_) => Errno::EIO,
        }
    }
}

/// A call from the enclave to the host.
pub trait HostCall: Sized {
    /// Its number.
    const CODE: CallCode;
    /// What a truthful answer holds.
    type Answer;

    /// The arguments as words (the enclave's side, when it stages).
    fn to_args(&self) -> [u64; ARGUMENT_WORDS];

    /// The call from its words (the host's side); `None` when they mean nothing.
    fn from_args(args: [u64; ARGUMENT_WORDS]) -> Option<Self>;

    /// Checks the host's answer against what was asked.
    fn check(&self, answer: Answer) -> Result<Self::Answer, CallError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_error_number_is_a_lie() {
        let answer = |value| Answer { value, extra: [0; 2] };
        assert_eq!(answer(-11).value(), Err(CallError::Errno(Errno::EAGAIN)));
        assert!(matches!(answer(-4096).value(), Err(CallError::Lie(_))));
        assert!(matches!(answer(i64::MIN).value(), Err(CallError::Lie(_))));
        assert!(matches!(answer(9).count(8), Err(CallError::Lie(_))));
        assert_eq!(answer(8).count(8), Ok(8));
    }
}
