//! rt_sigreturn.

use enclave_rt::entry;
use kobject::{Errno, Result};
use linux_abi::{Signal, SignalCode, SignalSet};

use super::Call;
use super::table::Row;
use crate::signal::{SignalInfo, frame, send};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(15, "rt_sigreturn", sys_rt_sigreturn, "")];

fn sys_rt_sigreturn(call: &mut Call<'_>) -> Result<u64> {
    let stack_pointer = call.frame.registers().rsp;
    let thread = call.thread;
    let Ok(mut restored) = frame::pop(stack_pointer) else {
        // As Linux: a frame that cannot be read is a fault.
        send::forced(
            thread,
            SignalInfo::fault(Signal::SIGSEGV, SignalCode::SI_KERNEL, 0),
        );
        return Err(Errno::EFAULT);
    };
    {
        let mut signals = thread.signals.lock();
        signals.mask = restored.mask.without(SignalSet::UNSTOPPABLE);
        if let Ok(stack) = frame::parse(&restored.stack) {
            signals.stack = stack;
        }
    }
    if thread.has_signal() {
        enclave_rt::thread::set_pending();
    }
    let registers = &mut restored.frame.registers;
    registers.rip = thread.process.space().actual_address(registers.rip);
    entry::enter_program(&mut restored.frame)
}
