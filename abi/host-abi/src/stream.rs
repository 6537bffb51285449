//! The container's standard streams, which are the host process's: 0, 1 and 2.

use crate::{Answer, CallCode, CallError, HostCall, HostFd, STAGING_SIZE, Wait};

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

/// Asks what a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStat {
    /// Which stream.
    pub fd: HostFd,
}

impl HostCall for StreamStat {
    const CODE: CallCode = CallCode::StreamStat;
    type Answer = StreamKind;

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), 0, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
        })
    }

    fn check(&self, answer: Answer) -> Result<StreamKind, CallError> {
        let kind = StreamKind::ALL.get(answer.count(StreamKind::ALL.len() - 1)?);
        kind.copied().ok_or(CallError::Lie("an unknown kind of stream"))
    }
}

macro_rules! transfer_calls {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Which stream.
            pub fd: HostFd,
            /// Bytes, at most [`STAGING_SIZE`].
            pub len: usize,
            /// How long it may block.
            pub wait: Wait,
        }

        impl HostCall for $name {
            const CODE: CallCode = CallCode::$name;
            type Answer = usize;

            fn to_args(&self) -> [u64; 6] {
                [self.fd.raw().into(), self.len as u64, self.wait.raw(), 0, 0, 0]
            }

            fn from_args(args: [u64; 6]) -> Option<Self> {
                let len = usize::try_from(args[1]).ok().filter(|&len| len <= STAGING_SIZE)?;
                Some(Self { fd: HostFd::from_raw(args[0])?, len, wait: Wait::nanoseconds(args[2]) })
            }

            fn check(&self, answer: Answer) -> Result<usize, CallError> {
                answer.count(self.len)
            }
        }
    )* };
}

transfer_calls! {
    /// Reads into the staging buffer; 0 is the end of the stream.
    StreamRead;
    /// Writes from the staging buffer.
    StreamWrite;
}

/// Reads a terminal's settings: the kernel's `struct termios` (36 bytes) in the staging buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalGet {
    /// Which stream.
    pub fd: HostFd,
}

impl TerminalGet {
    /// Bytes of the kernel's `struct termios`.
    pub const SIZE: usize = 36;
}

impl HostCall for TerminalGet {
    const CODE: CallCode = CallCode::TerminalGet;
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

/// Changes a terminal's settings to those in the staging buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSet {
    /// Which stream.
    pub fd: HostFd,
    /// 0: now, 1: once output is written, 2: that, and input is discarded (TCSETS, TCSETSW, TCSETSF).
    pub when: u8,
}

impl HostCall for TerminalSet {
    const CODE: CallCode = CallCode::TerminalSet;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), self.when.into(), 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let when = u8::try_from(args[1]).ok().filter(|&when| when <= 2)?;
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            when,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

/// Asks for a terminal's size: rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Which stream.
    pub fd: HostFd,
}

impl HostCall for WindowSize {
    const CODE: CallCode = CallCode::WindowSize;
    type Answer = (u16, u16);

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), 0, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
        })
    }

    fn check(&self, answer: Answer) -> Result<(u16, u16), CallError> {
        answer.unit()?;
        let side = |word: u64| u16::try_from(word).map_err(|_| CallError::Lie("a huge terminal"));
        Ok((side(answer.extra[0])?, side(answer.extra[1])?))
    }
}
