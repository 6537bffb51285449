//! What is read, written and polled but is no file of a file system.
//!
//! - [`pipe`]: pipes and FIFOs; [`EventFd`], [`TimerFd`], [`SignalFd`]: events as files; [`Stream`]: standard
//!   input and output;
//! - [`timer`]: the queue of timers, served by one thread that starts with the first of them;
//! - [`poll()`] and [`Epoll`]: waiting for several objects;
//! - [`socket`]: the [`Socket`] trait, network sockets (the host's, or inside over loopback addresses) and Unix sockets (all
//!   inside).
//!
//! Each object is a [`kobject::File`]; `libos` wraps it in a [`kobject::Description`], copies addresses and
//! structures from and to the programs' memory, raises SIGPIPE where a write gives EPIPE, and restarts what
//! was interrupted.
//!
//! # Time limits
//! A deadline is nanoseconds on [`kobject::clock::monotonic`]; `None` is for ever, [`NOW`] does not wait.
//! Waits end with EINTR only when the thread has something pending ([`enclave_rt::thread::is_pending`]),
//! never because the host says so.
//!
//! # Trust
//! Pipes, events, timers, Unix sockets and what goes over the container's own loopback addresses never leave the enclave. Other
//! network sockets and standard streams do:
//! the host reads and changes what goes through them, and says when they are ready; what it says is checked
//! for sense (lengths, address families, events that were asked for) and believed no further.
//!
//! # Locks
//! From the outside in: the epoll topology, an epoll's members (outer before inner), an object's state, a
//! wait queue. An object wakes its queue after it has unlocked its state. Objects' states are
//! [`kobject::Mutex`]es where programs' memory is copied under them; such a copy can enter `mm`, which never
//! calls back into this crate.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod anonymous;
pub use anonymous::stat as anonymous_stat;
mod epoll;
mod eventfd;
mod host;
#[cfg(test)]
mod no_kernel;
pub mod pipe;
mod poll;
mod ring;
mod signalfd;
pub mod socket;
mod stream;
pub mod timer;
mod timerfd;

pub use epoll::{Epoll, EpollEvent, EpollOperation};
pub use eventfd::{EventFd, EventMode};
pub use poll::{PollItem, poll};
pub use signalfd::{SIGNAL_INFO_SIZE, SignalFd, SignalSource};
pub use socket::{Socket, as_socket, not_sent};
pub use stream::{Stream, Terminal};
pub use timer::{Schedule, Timer, Timers};
pub use timerfd::{TimerBase, TimerClock, TimerFd, TimerSetting};

/// The deadline of what must not wait.
pub const NOW: Option<u64> = Some(0);
