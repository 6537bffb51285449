//! The record of one call and the area that it lies in.

use crate::Errno;

/// Bytes of a call area: the record's page, then the staging buffer.
pub const AREA_SIZE: usize = STAGING_OFFSET + STAGING_SIZE;
/// Where the staging buffer begins in a call area.
pub const STAGING_OFFSET: usize = enclave_layout::PAGE_SIZE as usize;
/// Bytes of the staging buffer: what one call can carry.
pub const STAGING_SIZE: usize = 256 * 1024;
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
    pub args: [u64; 6],
    /// Non-negative: the result; negative: a negated error number.
    pub value: i64,
    /// Further results.
    pub extra: [u64; 2],
    /// Signals that the host's process has received (bit `n - 1` is signal `n`) and that the host asks the
    /// enclave to deliver. Written by the host, which clears them once a thread has been told.
    pub signals: u64,
    /// Always zero.
    pub reserved: u64,
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
    fn to_args(&self) -> [u64; 6];

    /// The call from its words (the host's side); `None` when they mean nothing.
    fn from_args(args: [u64; 6]) -> Option<Self>;

    /// Checks the host's answer against what was asked.
    fn check(&self, answer: Answer) -> Result<Self::Answer, CallError>;
}

macro_rules! call_codes {
    ($($name:ident = $number:literal,)*) => {
        /// The number of each call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u64)]
        #[expect(missing_docs, reason = "each is named after the call type that documents it")]
        pub enum CallCode { $($name = $number,)* }

        impl CallCode {
            /// All calls, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The call with this number.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($number => Some(Self::$name),)* _ => None }
            }

            /// The call's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

call_codes! {
    Exit = 0,
    Spawn = 1,
    Park = 2,
    Unpark = 3,
    Interrupt = 4,
    Message = 5,
    ClockRead = 6,
    Commit = 8,
    Protect = 9,
    Trim = 10,
    Remove = 11,
    StreamRead = 16,
    StreamWrite = 17,
    StreamStat = 18,
    TerminalGet = 19,
    TerminalSet = 20,
    WindowSize = 21,
    Socket = 32,
    Bind = 33,
    Listen = 34,
    Accept = 35,
    Connect = 36,
    Send = 37,
    Recv = 38,
    Shutdown = 39,
    GetSockName = 40,
    GetPeerName = 41,
    GetSockOpt = 42,
    SetSockOpt = 43,
    Unread = 44,
    Close = 45,
    Poll = 48,
    EpollCreate = 49,
    EpollControl = 50,
    EpollWait = 51,
    QuoteTarget = 56,
    Quote = 57,
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

    #[test]
    fn codes_are_found_by_their_numbers() {
        for &code in CallCode::ALL {
            assert_eq!(CallCode::from_raw(code as u64), Some(code));
        }
        assert_eq!(CallCode::from_raw(7), None);
    }
}
