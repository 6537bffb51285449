//! Where a thread is, and the token that ends its wait: the state behind [`crate::thread::park`] and [`crate::thread::wake`].
//!
//! A thread that waits says so and then blocks; a waker leaves a token and, if the thread has said so, has the host wake it. Each
//! change is a read-modify-write: it takes the newest state, and nothing that follows it in the program happens before it. `tests/interleavings` runs
//! every interleaving of both sides.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

const RUNNING: u32 = 0;
const BLOCKED: u32 = 1;
const TOKEN: u32 = 2;

/// What a thread that is going to wait does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// It blocks in the host, and calls [`Token::end_block`] when it is back.
    Block,
    /// It does not wait: a token was there, which it has taken.
    Woken,
}

/// A thread's state: it runs, it blocks in the host, or a token awaits it.
pub(crate) struct Token(AtomicU32);

impl Token {
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU32::new(RUNNING))
    }

    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU32::new(RUNNING))
    }

    /// The thread itself: it is going to block, unless a token is there.
    pub fn begin_block(&self) -> Begin {
        match self
            .0
            .compare_exchange(RUNNING, BLOCKED, Ordering::SeqCst, Ordering::SeqCst)
        {
            Ok(_) => Begin::Block,
            Err(_) => {
                self.take();
                Begin::Woken
            }
        }
    }

    /// The thread itself: it is back. Who still sees it blocked ([`Self::is_blocked`]) may rely on its reading nothing earlier.
    pub fn end_block(&self) {
        self.take();
    }

    /// Takes the token, if there is one. A plain store could wait in the processor while the thread looks whether it still has
    /// something to wait for; a token that came meanwhile would be lost, and with it the wake-up.
    fn take(&self) {
        self.0.swap(RUNNING, Ordering::SeqCst);
    }

    /// Anyone: leaves a token. Whether the thread is blocked, so that the host has to wake it.
    pub fn leave(&self) -> bool {
        self.0.swap(TOKEN, Ordering::SeqCst) == BLOCKED
    }

    /// Whether the thread blocks.
    pub fn is_blocked(&self) -> bool {
        self.0.load(Ordering::SeqCst) == BLOCKED
    }

    /// Whether a token is there. Says nothing about what others did before they left it.
    #[cfg(not(loom))]
    pub fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TOKEN
    }
}
