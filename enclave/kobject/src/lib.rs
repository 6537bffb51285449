//! What every kernel object shares: errors, open files, readiness and waiting.
//!
//! - [`File`]: what can be read, written, polled; [`Description`]: an open file, as descriptors refer to it;
//! - [`Sink`] and [`Source`]: where bytes go to and come from, a program's memory ([`UserSink`], [`UserSource`]) or our own;
//! - [`Events`], [`WaitQueue`], [`Waiter`], [`wait_until`]: readiness, and waiting for it;
//! - [`clock`]: the time; [`Credentials`]: who asks; [`Privileges`]: what they may beyond that.
//!
//! `libos-mm`, `libos-fs`, `libos-io` and `libos` build on it; it builds on `enclave-rt`.
//!
//! Locks: a wait queue's lock is innermost (nothing is locked and no host call made under it).
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

pub mod async_notice;
mod attributes;
mod census;
pub mod clock;
pub mod credentials;
mod description;
mod file;
mod memory;
mod privileges;
mod stat;
mod wait;

pub use attributes::Attributes;
pub use census::Census;
pub use credentials::{Credentials, SetIds};
pub use description::Description;
pub use enclave_rt::sync::{Mutex, MutexGuard, Once, SpinLock};
pub use file::{DirectoryEntry, DirectorySink, File, How, Mapping, SharedPages, SharedPagesSlot};
pub use host_abi::Wait;
pub use linux_abi::Errno;
pub use memory::{IoVec, KernelSink, KernelSource, Sink, Source, UserSink, UserSource};
pub use privileges::Privileges;
pub use stat::{FileKind, Stat, Timestamp};
pub use wait::{
    Observer, Residence, Subscription, WaitQueue, Waiter, away, install_residence, remaining, wait_until,
};

/// The result of most operations.
pub type Result<T> = core::result::Result<T, Errno>;
