//! Sends signals to processes and threads.

use alloc::sync::Arc;

use kobject::{Errno, Result};
use linux_abi::limits::RLIM_INFINITY;
use linux_abi::signal::SIG_IGN;
use linux_abi::{PollEvents, Resource, Signal, SignalCode, SignalSet};

use super::{Effect, SignalInfo};
use crate::process::{Process, Thread, stop, table};

/// Sends to a process: the first thread that does not block the signal takes it.
pub(crate) fn to_process(process: &Arc<Process>, info: SignalInfo) -> Result<()> {
    let Some(signal) = info.signal() else {
        return Ok(());
    };
    let threads = process.threads();
    let is_blocked_by_all = threads.iter().all(|thread| thread.blocks(signal));
    if !prepare(process, signal, is_blocked_by_all) {
        return Ok(());
    }
    if !has_room(process, signal, &info) || !process.pending.lock().add(signal, info) {
        return Err(Errno::EAGAIN);
    }
    process.signal_observers.wake(PollEvents::POLLIN);
    if let Some(thread) = threads.iter().find(|thread| !thread.blocks(signal)) {
        thread.notify();
    } else {
        // A thread may wait for it in sigtimedwait.
        threads
            .iter()
            .filter(|thread| thread.awaits(signal))
            .for_each(|thread| thread.notify());
    }
    Ok(())
}

/// Sends to one thread.
pub(crate) fn to_thread(thread: &Arc<Thread>, info: SignalInfo) -> Result<()> {
    let Some(signal) = info.signal() else {
        return Ok(());
    };
    if !prepare(&thread.process, signal, thread.blocks(signal)) {
        return Ok(());
    }
    if !has_room(&thread.process, signal, &info) || !thread.signals.lock().pending.add(signal, info) {
        return Err(Errno::EAGAIN);
    }
    thread.process.signal_observers.wake(PollEvents::POLLIN);
    if !thread.blocks(signal) || thread.awaits(signal) {
        thread.notify();
    }
    Ok(())
}

/// Whether RLIMIT_SIGPENDING lets one more signal wait for the user whose process it is. Only real-time signals that are queued are lost
/// otherwise: of the others one may always wait.
fn has_room(process: &Process, signal: Signal, info: &SignalInfo) -> bool {
    if !signal.is_realtime() || info.code == SignalCode::SI_USER.0 {
        return true;
    }
    let limit = process.limits.lock()[Resource::RLIMIT_SIGPENDING].current;
    limit == RLIM_INFINITY || (waiting_for(process.uid()) as u64) < limit
}

/// How many signals wait for the processes of a user.
pub(crate) fn waiting_for(user: u32) -> usize {
    let processes = table::processes()
        .into_iter()
        .filter(|process| process.uid() == user);
    let of_process = |process: Arc<Process>| {
        let threads = process.threads().into_iter();
        let of_threads: usize = threads.map(|thread| thread.signals.lock().pending.len()).sum();
        process.pending.lock().len() + of_threads
    };
    processes.map(of_process).sum()
}

/// An instruction of the calling thread caused a signal: it is delivered even if it is blocked or ignored, which then kills.
pub(crate) fn forced(thread: &Arc<Thread>, info: SignalInfo) {
    let Some(signal) = info.signal() else { return };
    let mut actions = thread.process.actions.lock();
    let blocked = thread.blocks(signal);
    if blocked || actions.of(signal).handler == SIG_IGN {
        actions.set(signal, super::Action::DEFAULT);
    }
    drop(actions);
    let mut signals = thread.signals.lock();
    signals.mask = signals.mask.without(SignalSet::of(signal));
    signals.pending.add(signal, info);
    drop(signals);
    enclave_rt::thread::set_pending();
}

/// What sending does by itself; false if nothing is left to do.
fn prepare(process: &Arc<Process>, signal: Signal, is_blocked: bool) -> bool {
    // SIGCONT and the stopping signals undo each other even when they are ignored.
    let others = match Effect::of(signal) {
        Effect::Continue => SignalSet::of(Signal::SIGSTOP)
            .with(SignalSet::of(Signal::SIGTSTP))
            .with(SignalSet::of(Signal::SIGTTIN))
            .with(SignalSet::of(Signal::SIGTTOU)),
        Effect::Stop => SignalSet::of(Signal::SIGCONT),
        _ => SignalSet(0),
    };
    if !others.is_empty() {
        let mut pending = process.pending.lock();
        let mut rest = others;
        while let Some(other) = rest.first() {
            pending.remove(other);
            rest = rest.without(SignalSet::of(other));
        }
    }
    match signal {
        Signal::SIGCONT => stop::go_on(process),
        Signal::SIGKILL => process.stop.wake(),
        _ => {}
    }
    // What is blocked is kept even if it is ignored now: that may change before it is unblocked.
    is_blocked || !process.actions.lock().of(signal).ignores(signal)
}
