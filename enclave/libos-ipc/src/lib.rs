//! System V IPC (sysvipc(7)) and POSIX message queues (mq_overview(7)): objects that processes share by keys and names.
//!
//! - [`SharedMemory`]: segments, which `libos-mm` maps;
//! - [`Semaphores`]: sets of counters that change together;
//! - [`Messages`]: queues of typed messages;
//! - [`posix_queue::Names`] and [`posix_queue::Queue`]: POSIX message queues, which are files.
//!
//! `libos` turns system calls into calls of these, copies bytes of programs in and out, and supplies the waiting ([`Sleep`]): no
//! program's memory is touched here. Errors are those of Linux, in its order.
//!
//! Each facility has one lock over all its objects, under which nothing waits. Locks of `libos-mm` are taken before them, never after,
//! but for [`SharedMemory`], which counts attachments without its own.
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

mod messages;
mod permissions;
pub mod posix_queue;
mod semaphores;
mod shared_memory;
mod sleeper;
mod table;

use kobject::Credentials;

pub use messages::{Message, Messages, QueueState, Selection};
pub use permissions::{Ownership, Permissions};
pub use semaphores::{Operation, Semaphores, SetState};
pub use shared_memory::{Attachment, Segment, SegmentState, SharedMemory};
pub use sleeper::Sleep;
pub use table::Usage;

/// Who makes a call, and when.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Its users, groups and capabilities.
    pub credentials: &'a Credentials,
    /// Its process.
    pub pid: u32,
    /// Seconds since 1970.
    pub now: i64,
}

/// How an object is named in a call that looks at it (`IPC_STAT` and its kin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// By its identifier.
    Id(i32),
    /// By its place in the table (`SHM_STAT`).
    Index(i32),
    /// By its place, whoever asks (`SHM_STAT_ANY`).
    AnyIndex(i32),
}
