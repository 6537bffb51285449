//! Linux is the oracle: random operations are done on this crate's objects and on the kernel's, and compared
//! step by step. What the kernel counts in pages and buffers of its own (how much fits) is kept out of reach.

mod epolls;
#[path = "../../src/no_kernel.rs"]
mod no_kernel;
mod pipes;
mod unix_sockets;

use std::os::fd::AsFd;

use kobject::{Errno, How};
use linux_abi::PollEvents;
use rustix::event::{PollFd, PollFlags, Timespec};

/// Never waits: there is no enclave to wait in.
const NONBLOCKING: How = How {
    nonblocking: true,
    append: false,
};

/// A result as both sides give it: a value, or the number of the error.
type Outcome<T> = Result<T, i32>;

fn ours<T>(result: Result<T, Errno>) -> Outcome<T> {
    result.map_err(|error| error.raw().into())
}

fn theirs<T>(result: rustix::io::Result<T>) -> Outcome<T> {
    result.map_err(|error| error.raw_os_error())
}

/// What `poll` says of a descriptor.
fn polled(fd: impl AsFd, interest: PollEvents) -> PollEvents {
    let interest = PollFlags::from_bits_retain(interest.bits() as u16);
    let mut entries = [PollFd::from_borrowed_fd(fd.as_fd(), interest)];
    rustix::event::poll(&mut entries, Some(&Timespec::default())).unwrap();
    PollEvents::from_bits_retain(entries[0].revents().bits().into())
}

/// Bytes that tell where they belong.
fn pattern(start: u64, len: usize) -> Vec<u8> {
    (start..start + len as u64)
        .map(|place| (place % 251) as u8)
        .collect()
}
