//! The kernel of the container: processes, signals, time and the system-call table.
//!
//! - [`syscall`]: the table of system calls, and a file for each family of them;
//! - `process`, `signal`, `time`, `futex`, `loader`: what they work on; files and sockets live in the crates `fs` and `io`, memory in `mm`;
//! - `boot`: from the measured configuration to the first instruction of the first program;
//! - `attestation`: what the enclave proves, and its own keys;
//! - `proc_source`: what /proc shows; `trace`, `stats`, `crash`: what a developer sees.
//!
//! Everything here is safe Rust over `enclave-rt`. The one piece of global state is the [`Container`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod attestation;
mod boot;
mod container;
mod crash;
mod futex;
mod loader;
mod proc_source;
mod process;
mod processor;
mod rootfs_source;
mod signal;
mod stats;
pub mod syscall;
mod time;
mod trace;
mod uapi;
mod user;

use enclave_rt::frame::{Exception, SyscallFrame, TrapFrame};
use enclave_rt::handlers::Kernel;
use enclave_rt::thread;
use enclave_rt::user::Access;
use libos_mm::FaultOutcome;

use container::container;
use process::{CURRENT, exit};
use signal::{Signal, SignalInfo, code, deliver, send};
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
        if !take_pending() {
            return;
        }
        let mut trap = TrapFrame::of_syscall(frame);
        if deliver_to_current(&mut trap) {
            enclave_rt::entry::enter_program(&mut trap);
        }
    }

    fn trap(&self, frame: &mut TrapFrame) {
        let exception = frame.exception;
        match exception.vector {
            Exception::NONE => {}
            Exception::INVALID_OPCODE if is_syscall_instruction(frame.registers.rip) => {
                // As the instruction itself does.
                frame.registers.rip += 2;
                frame.registers.rcx = frame.registers.rip;
                frame.registers.r11 = frame.registers.rflags;
                frame.exception.vector = Exception::NONE;
                stats::count_trap(frame.registers.rax);
                syscall::dispatch(Frame::Trap(frame));
            }
            Exception::INVALID_OPCODE if processor::emulate(frame) => {}
            Exception::PAGE_FAULT => page_fault(frame, exception),
            _ => raise(frame),
        }
    }

    fn trap_pending(&self, frame: &mut TrapFrame) {
        if take_pending() {
            deliver_to_current(frame);
        }
    }

    fn populate(&self, address: u64, access: Access) -> bool {
        CURRENT.with(|thread| thread.process.space.handle_fault(address, access) == FaultOutcome::Handled)
    }

    fn is_present(&self, address: u64, access: Access) -> bool {
        libos_mm::is_present(address, access)
    }
}

/// Whether a program's instruction is `syscall`, for which no stub stands in.
fn is_syscall_instruction(rip: u64) -> bool {
    user::get::<[u8; 2]>(rip) == Ok([0x0f, 0x05])
}

/// Clears what is pending; whether there is something to deliver.
fn take_pending() -> bool {
    thread::clear_pending();
    CURRENT.with(|thread| {
        signal_from_host();
        syscall::acknowledge_barrier(thread);
        thread.has_signal() || thread.interrupted.lock().is_some()
    })
}

/// Delivers to the calling thread; whether its state has changed.
fn deliver_to_current(frame: &mut TrapFrame) -> bool {
    CURRENT.with(|thread| {
        if thread.ending.load(core::sync::atomic::Ordering::Acquire) != 0 {
            exit::thread(thread, 0);
        }
        let interrupted = thread.interrupted.lock().take();
        deliver::deliver(thread, frame, interrupted)
    })
}

/// Sends the signals that the host has passed to the calling thread on to the container's first process.
///
/// They are claims like all that the host says; only those that a user may send to a container by its runtime are taken.
fn signal_from_host() {
    /// SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGWINCH.
    const TAKEN: u64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 9 | 1 << 11 | 1 << 14 | 1 << 17 | 1 << 27;
    let mut set = thread::take_host_signals() & TAKEN;
    while set != 0 {
        let number = u64::from(set.trailing_zeros()) + 1;
        set &= set - 1;
        if let (Some(signal), Some(first)) = (Signal::from_raw(number), process::table::process(1)) {
            // A full queue loses a signal, as on Linux.
            let _ = send::to_process(&first, SignalInfo::new(signal, code::KERNEL));
        }
    }
}

fn page_fault(frame: &mut TrapFrame, exception: Exception) {
    let access = exception.access();
    stats::count_fault();
    let outcome = CURRENT.with(|thread| thread.process.space.handle_fault(exception.address, access));
    let (signal, code) = match outcome {
        FaultOutcome::Handled => {
            frame.exception.vector = Exception::NONE;
            return;
        }
        FaultOutcome::NotMapped => (Signal::SEGV, code::SEGV_MAPERR),
        FaultOutcome::NotAllowed => (Signal::SEGV, code::SEGV_ACCERR),
        FaultOutcome::Bus => (Signal::BUS, code::BUS_ADRERR),
    };
    CURRENT.with(|thread| send::forced(thread, SignalInfo::fault(signal, code, exception.address)));
}

/// The signal of any other exception (the kernel's exception table).
fn raise(frame: &mut TrapFrame) {
    let rip = frame.registers.rip;
    let (signal, code, address) = match frame.exception.vector {
        Exception::DIVIDE => (Signal::FPE, code::FPE_INTDIV, rip),
        Exception::DEBUG => {
            // The next step would be one of the LibOS's own, on the way back.
            frame.registers.rflags &= !TRAP_FLAG;
            (Signal::TRAP, code::TRAP_TRACE, rip)
        }
        Exception::BREAKPOINT => {
            // INT3 is a fault in an enclave (SDM vol. 3D, 41.3.2), and a trap for programs.
            frame.registers.rip += 1;
            (Signal::TRAP, code::KERNEL, 0)
        }
        Exception::INVALID_OPCODE => (Signal::ILL, code::ILL_ILLOPN, rip),
        Exception::X87 => (Signal::FPE, float_code(frame.xsave.x87_exceptions()), rip),
        Exception::SIMD => (Signal::FPE, float_code(frame.xsave.simd_exceptions()), rip),
        Exception::ALIGNMENT => (Signal::BUS, code::BUS_ADRALN, 0),
        _ => (Signal::SEGV, code::KERNEL, 0),
    };
    CURRENT.with(|thread| send::forced(thread, SignalInfo::fault(signal, code, address)));
}

/// TF: a trap after the next instruction.
const TRAP_FLAG: u64 = 1 << 8;

/// What si_code says of floating-point exceptions that are not masked (the kernel's `fpu__exception_code`).
fn float_code(exceptions: u16) -> i32 {
    const CODES: [(u16, i32); 5] = [
        (0x01, code::FPE_FLTINV),
        (0x04, code::FPE_FLTDIV),
        (0x08, code::FPE_FLTOVF),
        // Denormal operands count as underflows.
        (0x12, code::FPE_FLTUND),
        (0x20, code::FPE_FLTRES),
    ];
    let found = CODES.iter().find(|(bits, _)| exceptions & bits != 0);
    found.map_or(0, |&(_, code)| code)
}
