//! Delivers pending signals to a program that is about to go on.

use alloc::sync::Arc;

use enclave_rt::frame::TrapFrame;
use kobject::{Errno, Result};
use linux_abi::signal::{SIG_DFL, SIG_IGN};
use linux_abi::{ActionFlags, Signal, SignalCode, SignalSet};

use super::{Action, Effect, SignalInfo, frame, send};
use crate::process::{Thread, exit, stop};

/// A system call that a signal interrupted and that may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted {
    /// Its number, for `rax`.
    pub(crate) number: u64,
    /// Made again after a handler with SA_RESTART too (not only when no handler runs).
    pub(crate) after_handler: bool,
}

/// Delivers what is pending; `interrupted` is the system call that gave EINTR just now. Whether `trap` has changed.
pub(crate) fn deliver(
    thread: &Arc<Thread>,
    trap: &mut TrapFrame,
    mut interrupted: Option<Interrupted>,
) -> bool {
    let mut changed = false;
    let mut handled = false;
    while let Some((info, signal, action)) = next(thread) {
        match action.handler {
            SIG_IGN => {}
            SIG_DFL => match Effect::of(signal) {
                Effect::Ignore | Effect::Continue => {}
                Effect::Stop => stop::stop(thread, signal),
                Effect::Terminate => exit::killed(thread, signal, false, Some((trap, &info))),
                Effect::Core => exit::killed(thread, signal, true, Some((trap, &info))),
            },
            _ => {
                if let Some(call) = interrupted.take()
                    && call.after_handler
                    && action.flags.contains(ActionFlags::SA_RESTART)
                {
                    restart(thread, trap, call);
                }
                changed = true;
                match enter_handler(thread, trap, signal, &action, &info) {
                    Ok(()) => handled = true,
                    Err(_) if signal == Signal::SIGSEGV => {
                        exit::killed(thread, signal, true, Some((trap, &info)));
                    }
                    // No stack to run the handler on: that of SIGSEGV may have one (signal_setup_done of the kernel).
                    Err(_) => send::forced(
                        thread,
                        SignalInfo::fault(Signal::SIGSEGV, SignalCode::SI_KERNEL, 0),
                    ),
                }
            }
        }
    }
    if let Some(call) = interrupted {
        restart(thread, trap, call);
        changed = true;
    }
    if !handled {
        let mut signals = thread.signals.lock();
        if let Some(mask) = signals.suspended.take() {
            signals.mask = mask;
        }
    }
    changed
}

/// Takes the next signal that the thread does not block.
fn next(thread: &Arc<Thread>) -> Option<(SignalInfo, Signal, Action)> {
    let mut signals = thread.signals.lock();
    let open = thread.open_signals(signals.mask);
    let own = signals.pending.take(open);
    drop(signals);
    let info = own.or_else(|| thread.process.pending.lock().take(open))?;
    let signal = info.signal()?;
    let mut actions = thread.process.actions.lock();
    let action = actions.of(signal);
    if action.handler > SIG_IGN && action.flags.contains(ActionFlags::SA_RESETHAND) {
        actions.set(
            signal,
            Action {
                handler: SIG_DFL,
                ..action
            },
        );
    }
    Some((info, signal, action))
}

/// Makes the handler what the program goes on with; changes nothing if its frame cannot be written (EFAULT).
fn enter_handler(
    thread: &Arc<Thread>,
    trap: &mut TrapFrame,
    signal: Signal,
    action: &Action,
    info: &SignalInfo,
) -> Result<()> {
    let (mask, stack) = {
        let signals = thread.signals.lock();
        (signals.suspended.unwrap_or(signals.mask), signals.stack)
    };
    let canonical_rip = thread.process.space().canonical_address(trap.registers.rip);
    let setting = frame::Setting {
        action,
        info,
        mask,
        stack,
        canonical_rip,
    };
    frame::push(trap, &setting)?;
    let mut signals = thread.signals.lock();
    signals.suspended = None;
    if stack.disarm {
        signals.stack = super::AlternateStack::NONE;
    }
    signals.mask = signals.mask.with(action.mask);
    if !action.flags.contains(ActionFlags::SA_NODEFER) {
        signals.mask = signals.mask.with(SignalSet::of(signal));
    }
    signals.mask = signals.mask.without(SignalSet::UNSTOPPABLE);
    Ok(())
}

/// Lets the program make its system call once more.
fn restart(thread: &Arc<Thread>, trap: &mut TrapFrame, call: Interrupted) {
    debug_assert_eq!(trap.registers.rax, Errno::EINTR.as_return() as u64);
    trap.registers.rax = call.number;
    trap.registers.rip = thread.process.space().call_address(trap.registers.rip);
}
