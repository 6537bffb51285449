//! The enclave's runtime: entry, exit, exceptions, untrusted memory and locks.
//!
//! What is SGX's own lies in the folder `sgx`. This is where the trusted base's `unsafe` lives; what builds on it (`kobject`, `libos-mm`, `libos-fs`, `libos-io`, `libos`) is
//! safe Rust. The layers, from the outside:
//!
//! - [`entry`]: the assembly that the processor enters: threads, system calls, exceptions, and the ways out;
//! - [`area`]: the page that `GS` points to, one per thread; [`frame`]: a program's saved registers;
//! - [`call`]: leaves the enclave with one typed call of `host-abi` and checks what comes back; [`outbox`]: what goes with the next one;
//!   [`untrusted`]: copies from and to the host's memory, never a reference into it;
//! - [`user`]: copies from and to the programs' memory, which can fault;
//! - [`memory`]: pages, accepted one by one; [`heap`], [`own_memory`]: the LibOS's own memory;
//! - [`thread`], [`sync`]: threads that the host schedules, and locks that do not trust it for anything but progress;
//! - [`attestation`]: reports and keys of the processor's; [`processor`]: the other instructions that need a wrapper.
//!
//! Trust: the host enters when, where and as often as it likes with what it likes in the registers; it answers
//! calls with anything. Programs share the enclave's address space and are inside the trust boundary, but their
//! mistakes (a wild pointer in a system call) must fail as they do on Linux.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod area;
pub mod call;
pub mod frame;
pub mod handlers;
pub mod heap;
mod host_copy;
pub mod measured;
pub mod outbox;
mod patience;
pub mod processor;
mod sgx;
pub mod state_component;
pub mod sync;
pub mod thread;
mod token;
pub mod untrusted;
pub mod user;
pub mod vdso;

mod vector_state;

pub use host_abi as abi;
pub use sgx::{attestation, entry, memory, own_memory};
