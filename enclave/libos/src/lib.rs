//! The kernel of the container: processes, signals, time and the system-call table.
//!
//! - [`syscall`]: the table of system calls, and a file for each family of them;
//! - `process`, `signal`, `time`, `futex`, `loader`: what system calls work on. Files are in the crate `libos-fs`, pipes and sockets
//!   in `libos-io`, System V IPC and message queues in `libos-ipc` (with `ipc` here), memory in `libos-mm`;
//! - `terminal`: pseudo-terminals and job control;
//! - `boot`: from the measured configuration to the first instruction of the first program;
//! - `trap`, `resume`: exceptions of programs, and the way back to a program;
//! - `requests`: `nacre exec` and `nacre top`, where debugging is allowed;
//! - `name_files`: /etc/hosts and its kin;
//! - `attestation`, `tls`: reports, quotes, sealing keys, and the TLS key of this enclave;
//! - `proc_source`: what /proc shows; `console`, `trace`, `stats`, `crash`, `memory_limit`: what a developer sees.
//!
//! Everything here is safe Rust over `enclave-rt`. The one piece of global state is the [`Container`].
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

mod aio;
mod attestation;
mod boot;
mod console;
mod container;
mod crash;
mod futex;
mod ipc;
mod loader;
mod memory_limit;
mod name_files;
mod proc_source;
mod process;
mod processor;
mod provisioning;
mod requests;
mod resume;
mod rootfs_source;
mod signal;
mod stats;
pub mod syscall;
mod terminal;
mod time;
mod tls;
mod trace;
mod trap;
mod uapi;
mod user;

use enclave_rt::frame::{SyscallFrame, TrapFrame};
use enclave_rt::handlers::Kernel;
use enclave_rt::user::Access;
use libos_mm::FaultOutcome;

use container::container;
use process::{CURRENT, exec};
use syscall::Frame;

/// The LibOS, for the runtime.
pub static KERNEL: &dyn Kernel = &LibOs;

struct LibOs;

impl Kernel for LibOs {
    fn boot(&self) -> ! {
        boot::boot()
    }

    fn syscall(&self, frame: &mut SyscallFrame) {
        syscall::dispatch(Frame::Stub(frame));
    }

    fn syscall_pending(&self, frame: &mut SyscallFrame) {
        if let Some(mut new) = exec::finish() {
            enclave_rt::entry::enter_program(&mut new);
        }
        if !resume::take_pending() {
            return;
        }
        let mut trap = TrapFrame::of_syscall(frame);
        if resume::deliver_to_current(&mut trap) {
            enclave_rt::entry::enter_program(&mut trap);
        }
    }

    fn trap(&self, frame: &mut TrapFrame) {
        trap::handle(frame);
    }

    fn trap_pending(&self, frame: &mut TrapFrame) {
        if let Some(new) = exec::finish() {
            *frame = new;
        }
        if resume::take_pending() {
            resume::deliver_to_current(frame);
        }
    }

    fn populate(&self, address: u64, access: Access) -> bool {
        CURRENT.with(|thread| thread.process.space().handle_fault(address, access) == FaultOutcome::Handled)
    }

    fn not_sent(&self, sender: u64, error: Option<kobject::Errno>) {
        libos_io::not_sent(sender, error);
    }

    fn is_present(&self, address: u64, access: Access) -> bool {
        libos_mm::is_present(address, access)
    }
}
