//! The host boundary: every call from the enclave to the host, typed and checked.
//!
//! A thread of the enclave owns one *call area* in untrusted memory: a [`Record`] (the call and its answer),
//! a staging buffer for the bytes that go along, and an outbox for what goes with the next call ([`Posted`]). A call is **staged** (arguments and bytes copied out),
//! **committed** (the enclave leaves; the host serves it) and **collected** (the answer is copied in once, then
//! checked by [`HostCall::check`] before anything believes it). What the host answers is a claim: a length
//! beyond what was asked, an unknown error number, a descriptor out of range or an impossible event is a
//! [`CallError::Lie`].
//!
//! All calls stand in one table, `table.rs`, from which their types and the page `docs/host-calls.md` are made.
//!
//! Key types: [`HostCall`] and its implementations (one per call), [`ROWS`], [`Record`], [`Wait`], [`HostFd`],
//! [`BootInfo`]. The enclave's runtime stages and collects; the host runtime decodes and serves; the hostile
//! host of the tests answers with anything.
//!
//! Nothing here does I/O, holds a pointer or trusts the other side.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod argument;
mod boot;
mod descriptor;
mod outbox;
mod poll;
mod process;
mod quote;
mod record;
mod request;
mod row;
mod socket;
mod stream;
mod table;
mod time;

pub use boot::{BootError, BootFlags, BootInfo, CpuidEntry};
pub use descriptor::HostFd;
pub use enclave_layout::{Acceptance, PageRange, Protection};
pub use linux_abi::Errno;
pub use outbox::{Fate, Posted, WATCH_NANOSECONDS};
pub use poll::{EpollEvent, EpollOperation, PollEntry, ReadyEvent};
pub use process::{MessageKind, ParkEnd};
pub use record::{
    AREA_SIZE, Answer, CallError, HostCall, OUTBOX_OFFSET, OUTBOX_SIZE, RECORD_SIZE, Record, STAGING_OFFSET,
    STAGING_SIZE,
};
pub use request::{REQUEST_SIGNAL, Request, Wish};
pub use row::{Field, Input, Row};
pub use socket::{Accepted, CONTROL_OFFSET, MAX_CONTROL, MAX_SOCKADDR, Queue, Received, Wanted};
pub use stream::StreamKind;
pub use table::*;
pub use time::{HostClocks, Wait};
