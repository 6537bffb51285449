//! The host boundary: every call from the enclave to the host, typed and checked.
//!
//! A thread of the enclave owns one *call area* in untrusted memory: a [`Record`] (the call and its answer)
//! and a staging buffer for the bytes that go along. A call is **staged** (arguments and bytes copied out),
//! **committed** (the enclave leaves; the host serves it) and **collected** (the answer is copied in once, then
//! checked by [`HostCall::check`] before anything believes it). What the host answers is a claim: a length
//! beyond what was asked, an unknown error number, a descriptor out of range or an impossible event is a
//! [`CallError::Lie`].
//!
//! Key types: [`HostCall`] and its implementations (one per call), [`Record`], [`Wait`], [`HostFd`],
//! [`BootInfo`]. The enclave's runtime stages and collects; the host runtime decodes and serves; the hostile
//! host of the tests answers with anything.
//!
//! Nothing here does I/O, holds a pointer or trusts the other side.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod boot;
mod descriptor;
mod memory;
mod poll;
mod process;
mod quote;
mod record;
mod socket;
mod stream;
mod time;

pub use boot::{BootError, BootFlags, BootInfo, CpuidEntry};
pub use descriptor::{Close, HostFd, Unread};
pub use linux_abi::Errno;
pub use memory::{Acceptance, Commit, PageRange, Protect, Protection, Remove, Trim};
pub use poll::{EpollControl, EpollCreate, EpollEvent, EpollOperation, EpollWait, Poll, PollEntry};
pub use process::{Exit, Interrupt, Message, MessageKind, Park, ParkEnd, Spawn, Unpark};
pub use quote::{Quote, QuoteTarget};
pub use record::{
    AREA_SIZE, Answer, CallCode, CallError, HostCall, RECORD_SIZE, Record, STAGING_OFFSET, STAGING_SIZE,
};
pub use socket::{
    Accept, Accepted, Bind, Connect, GetPeerName, GetSockName, GetSockOpt, Listen, Received, Recv,
    SOCKADDR_MAX, Send, SetSockOpt, Shutdown, Socket, Wanted,
};
pub use stream::{StreamKind, StreamRead, StreamStat, StreamWrite, TerminalGet, TerminalSet, WindowSize};
pub use time::{ClockRead, HostClocks, Wait};
