//! The container's standard streams, which are the host process's: 0, 1 and 2.

use crate::{Answer, CallError, TerminalGet};

/// What a standard stream is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Closed.
    Closed,
    /// A terminal.
    Terminal,
    /// A pipe or socket.
    Pipe,
    /// A regular file.
    File,
    /// A character device that is no terminal, such as /dev/null.
    Device,
}

impl StreamKind {
    const ALL: [Self; 5] = [Self::Closed, Self::Terminal, Self::Pipe, Self::File, Self::Device];
}

/// The kind of a stream: one that is known.
pub(crate) fn kind(answer: Answer) -> Result<StreamKind, CallError> {
    let kind = usize::try_from(answer.value()?)
        .ok()
        .and_then(|number| StreamKind::ALL.get(number));
    kind.copied().ok_or(CallError::Lie("an unknown kind of stream"))
}

impl TerminalGet {
    /// Bytes of the kernel's `struct termios`.
    pub const SIZE: usize = 36;
}

/// A terminal's rows and columns.
pub(crate) fn window_size(answer: Answer) -> Result<(u16, u16), CallError> {
    answer.unit()?;
    let [rows, columns] = answer.extra;
    let side = |word: u64| u16::try_from(word).map_err(|_| CallError::Lie("a huge terminal"));
    Ok((side(rows)?, side(columns)?))
}
