//! The container's end, its threads, and what it says to a developer.

use crate::{Answer, CallCode, CallError, HostCall, STAGING_SIZE, Wait};

/// Ends the container. Does not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As `wait` gives it: exit code in bits 8 to 15, or the signal that killed it in bits 0 to 6.
    pub status: u16,
}

/// Asks for one more host thread to enter the enclave. ENOSPC when every TCS is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spawn;

/// Blocks the calling thread until its wake token is set, which this consumes. Spurious returns are allowed
/// (the enclave looks for itself what woke it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Park {
    /// For how long at most.
    pub wait: Wait,
}

/// How a [`Park`] ended, as the host says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkEnd {
    /// The token was set, or for no reason.
    Woken,
    /// Time is up.
    TimedOut,
}

/// Sets a thread's wake token; a thread that blocks in any call returns (EINTR, or from [`Park`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpark {
    /// The number of the thread's slot.
    pub slot: u32,
}

/// Interrupts a thread that runs inside the enclave (an asynchronous exit, then an entry with
/// `EntryReason::Exception`), so that it looks for signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// The number of the thread's slot.
    pub slot: u32,
}

/// What a message is about; the host decides by it how to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Something that the user should know (an unsupported system call), once.
    Notice,
    /// A line of `--trace`.
    Trace,
    /// The counts of `--stats`.
    Stats,
    /// The report of a crash: registers, mappings, stack.
    Crash,
    /// The LibOS itself has failed.
    Panic,
}

impl MessageKind {
    const ALL: [Self; 5] = [Self::Notice, Self::Trace, Self::Stats, Self::Crash, Self::Panic];
}

/// Text for the user's terminal, in the staging buffer. Only sent where the measured configuration allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// Bytes in the staging buffer, UTF-8.
    pub len: usize,
}

impl HostCall for Exit {
    const CODE: CallCode = CallCode::Exit;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.status.into(), 0, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            status: args[0].try_into().ok()?,
        })
    }

    fn check(&self, _: Answer) -> Result<(), CallError> {
        Err(CallError::Lie("came back from the end"))
    }
}

impl HostCall for Spawn {
    const CODE: CallCode = CallCode::Spawn;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [0; 6]
    }

    fn from_args(_: [u64; 6]) -> Option<Self> {
        Some(Self)
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

impl HostCall for Park {
    const CODE: CallCode = CallCode::Park;
    type Answer = ParkEnd;

    fn to_args(&self) -> [u64; 6] {
        [self.wait.raw(), 0, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            wait: Wait::nanoseconds(args[0]),
        })
    }

    fn check(&self, answer: Answer) -> Result<ParkEnd, CallError> {
        match answer.value()? {
            0 => Ok(ParkEnd::Woken),
            1 if self.wait.limit().is_some() => Ok(ParkEnd::TimedOut),
            _ => Err(CallError::Lie("an impossible end of a wait")),
        }
    }
}

macro_rules! slot_calls {
    ($($name:ident),*) => { $(
        impl HostCall for $name {
            const CODE: CallCode = CallCode::$name;
            type Answer = ();

            fn to_args(&self) -> [u64; 6] {
                [self.slot.into(), 0, 0, 0, 0, 0]
            }

            fn from_args(args: [u64; 6]) -> Option<Self> {
                Some(Self { slot: args[0].try_into().ok()? })
            }

            fn check(&self, answer: Answer) -> Result<(), CallError> {
                answer.unit()
            }
        }
    )* };
}

slot_calls!(Unpark, Interrupt);

impl HostCall for Message {
    const CODE: CallCode = CallCode::Message;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.kind as u64, self.len as u64, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let kind = *MessageKind::ALL.get(usize::try_from(args[0]).ok()?)?;
        let len = usize::try_from(args[1]).ok().filter(|&len| len <= STAGING_SIZE)?;
        Some(Self { kind, len })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}
