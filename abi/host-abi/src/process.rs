//! The ends of a wait, and the kinds of messages.

use crate::{Answer, CallError, Park};

/// How a [`Park`] ended, as the host says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkEnd {
    /// The token was set, or for no reason.
    Woken,
    /// Time is up.
    TimedOut,
}

/// The end of a wait: only one with a limit can reach it.
pub(crate) fn park_end(call: &Park, answer: Answer) -> Result<ParkEnd, CallError> {
    match answer.value()? {
        0 => Ok(ParkEnd::Woken),
        1 if call.wait.limit().is_some() => Ok(ParkEnd::TimedOut),
        _ => Err(CallError::Lie("an impossible end of a wait")),
    }
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
    pub(crate) const ALL: [Self; 5] = [Self::Notice, Self::Trace, Self::Stats, Self::Crash, Self::Panic];
}
