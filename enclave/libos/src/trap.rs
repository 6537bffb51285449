//! Exceptions of programs: system calls by the `syscall` instruction, page faults, emulated instructions, and signals for the rest.

use enclave_layout::PAGE_SIZE;
use enclave_rt::frame::{Exception, TrapFrame};
use libos_mm::FaultOutcome;
use linux_abi::{Signal, SignalCode};

use crate::process::CURRENT;
use crate::signal::{SignalInfo, send};
use crate::syscall::{self, Frame};
use crate::{memory_limit, processor, stats, user};

/// Handles an exception: afterwards `frame` says where the program goes on, or a signal is pending.
pub(crate) fn handle(frame: &mut TrapFrame) {
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

/// Whether a program's instruction is `syscall`, for which no stub stands in.
fn is_syscall_instruction(rip: u64) -> bool {
    user::get::<[u8; 2]>(rip) == Ok([0x0f, 0x05])
}

fn page_fault(frame: &mut TrapFrame, exception: Exception) {
    let access = exception.access();
    stats::count_fault();
    let outcome = CURRENT.with(|thread| thread.process.space().handle_fault(exception.address, access));
    let (signal, code) = match outcome {
        FaultOutcome::Handled => {
            frame.exception.vector = Exception::NONE;
            return;
        }
        FaultOutcome::NotMapped => (Signal::SIGSEGV, SignalCode::SEGV_MAPERR),
        FaultOutcome::NotAllowed => (Signal::SIGSEGV, SignalCode::SEGV_ACCERR),
        FaultOutcome::Bus => {
            CURRENT.with(|thread| memory_limit::say_if_used_up(thread, PAGE_SIZE));
            (Signal::SIGBUS, SignalCode::BUS_ADRERR)
        }
    };
    CURRENT.with(|thread| send::forced(thread, SignalInfo::fault(signal, code, exception.address)));
}

/// The signal of any other exception (the kernel's exception table).
fn raise(frame: &mut TrapFrame) {
    let rip = frame.registers.rip;
    let (signal, code, address) = match frame.exception.vector {
        Exception::DIVIDE => (Signal::SIGFPE, SignalCode::FPE_INTDIV, rip),
        Exception::DEBUG => {
            // The next step would be one of the LibOS's own, on the way back.
            frame.registers.rflags &= !TRAP_FLAG;
            (Signal::SIGTRAP, SignalCode::TRAP_TRACE, rip)
        }
        Exception::BREAKPOINT => {
            // INT3 is a fault in an enclave (SDM vol. 3D, 41.3.2), and a trap for programs.
            frame.registers.rip += 1;
            (Signal::SIGTRAP, SignalCode::SI_KERNEL, 0)
        }
        Exception::INVALID_OPCODE => (Signal::SIGILL, SignalCode::ILL_ILLOPN, rip),
        Exception::X87 => (Signal::SIGFPE, float_code(frame.xsave.x87_exceptions()), rip),
        Exception::SIMD => (Signal::SIGFPE, float_code(frame.xsave.simd_exceptions()), rip),
        Exception::ALIGNMENT => (Signal::SIGBUS, SignalCode::BUS_ADRALN, 0),
        _ => (Signal::SIGSEGV, SignalCode::SI_KERNEL, 0),
    };
    CURRENT.with(|thread| send::forced(thread, SignalInfo::fault(signal, code, address)));
}

/// TF: a trap after the next instruction.
const TRAP_FLAG: u64 = 1 << 8;

/// What si_code says of floating-point exceptions that are not masked (the kernel's `fpu__exception_code`).
fn float_code(exceptions: u16) -> SignalCode {
    const CODES: [(u16, SignalCode); 5] = [
        (0x01, SignalCode::FPE_FLTINV),
        (0x04, SignalCode::FPE_FLTDIV),
        (0x08, SignalCode::FPE_FLTOVF),
        // Denormal operands count as underflows.
        (0x12, SignalCode::FPE_FLTUND),
        (0x20, SignalCode::FPE_FLTRES),
    ];
    let found = CODES.iter().find(|(bits, _)| exceptions & bits != 0);
    found.map_or(SignalCode::SI_USER, |&(_, code)| code)
}
