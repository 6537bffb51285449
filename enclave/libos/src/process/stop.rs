//! Stopping and continuing (job control).
//!
//! A signal that stops is taken by one thread, which stops the process; each thread stops on its way back to its program. SIGCONT lets
//! them go on when it is sent, whatever the program does about it, and SIGKILL ends them.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_rt::thread::{clear_pending, set_pending};
use kobject::{SpinLock, WaitQueue, Waiter};
use linux_abi::{ActionFlags, PollEvents, Signal, SignalCode, SignalSet};

use super::exit::Status;
use super::{CURRENT, Process, Thread, barrier, table, turn};
use crate::signal::{SignalInfo, from_host, send};

/// Whether a process is stopped, and what its parent has not been told of yet.
pub(crate) struct Stop {
    is_stopped: AtomicBool,
    change: SpinLock<Option<Status>>,
    /// Told when the process goes on, or is to end.
    ends: Arc<WaitQueue>,
}

impl Stop {
    /// It runs.
    pub(crate) fn new() -> Self {
        Self {
            is_stopped: AtomicBool::new(false),
            change: SpinLock::new(None),
            ends: WaitQueue::new(),
        }
    }

    /// Whether its threads stop on their way back to the program.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// What a parent that waits has not learned yet, if `is_wanted`; it has now, unless it `leaves` it.
    pub(crate) fn take_change(&self, is_wanted: impl Fn(Status) -> bool, leaves: bool) -> Option<Status> {
        let mut change = self.change.lock();
        let status = change.filter(|&status| is_wanted(status))?;
        if !leaves {
            *change = None;
        }
        Some(status)
    }

    /// Wakes its stopped threads, to look at what has been sent.
    pub(crate) fn wake(&self) {
        if self.is_stopped() {
            self.ends.wake(PollEvents::READABLE);
        }
    }
}

/// A signal stops the calling thread's process, unless it comes from a terminal that nobody could continue the process from.
pub(crate) fn stop(thread: &Arc<Thread>, signal: Signal) {
    let process = &thread.process;
    if signal != Signal::SIGSTOP && is_orphaned(process.group.load(Ordering::Relaxed)) {
        return;
    }
    process.stop.is_stopped.store(true, Ordering::Release);
    tell_parent(process, Status::stopped(signal));
    for other in process.threads() {
        if other.tid != thread.tid {
            other.notify();
        }
    }
    wait_while_stopped(thread);
}

/// SIGCONT was sent: the process goes on.
pub(crate) fn go_on(process: &Arc<Process>) {
    if process.stop.is_stopped.swap(false, Ordering::AcqRel) {
        tell_parent(process, Status::CONTINUED);
        process.stop.ends.wake(PollEvents::READABLE);
    }
}

/// The calling thread waits for as long as its process is stopped.
pub(crate) fn wait_while_stopped(thread: &Thread) {
    let process = &thread.process;
    if !process.stop.is_stopped() {
        return;
    }
    let waiter = Waiter::new();
    let _subscription = process
        .stop
        .ends
        .subscribe(PollEvents::READABLE, waiter.observer());
    loop {
        waiter.reset();
        let is_killed = thread.ending.load(Ordering::Acquire) != 0 || has_kill(thread);
        if is_killed || !process.stop.is_stopped() {
            break;
        }
        // Other signals wait.
        clear_pending();
        from_host::forward();
        barrier::acknowledge(thread);
        CURRENT.with(turn::gate);
        let _ = waiter.sleep(None);
    }
    set_pending();
}

fn has_kill(thread: &Thread) -> bool {
    let kill = SignalSet::of(Signal::SIGKILL).0;
    let own = thread.signals.lock().pending.set().0;
    (own | thread.process.pending.lock().set().0) & kill != 0
}

/// Whether no process of a group has a parent in another group of its session, which could continue it (setpgid(2)).
pub(crate) fn is_orphaned(group: u32) -> bool {
    let load = |value: &core::sync::atomic::AtomicU32| value.load(Ordering::Relaxed);
    let processes = table::processes();
    let lives = |process: &&Arc<Process>| !process.is_zombie.load(Ordering::Acquire);
    let mut members = processes
        .iter()
        .filter(|process| load(&process.group) == group)
        .filter(lives);
    !members.any(|member| {
        let parent = table::process(member.parent());
        parent.is_some_and(|parent| {
            load(&parent.group) != group && load(&parent.session) == load(&member.session)
        })
    })
}

fn tell_parent(process: &Arc<Process>, status: Status) {
    *process.stop.change.lock() = Some(status);
    let Some(parent) = table::process(process.parent()) else {
        return;
    };
    let action = parent.actions.lock().of(Signal::SIGCHLD);
    if !action.flags.contains(ActionFlags::SA_NOCLDSTOP) {
        let (code, status): (SignalCode, u32) = status.of_child();
        let info = SignalInfo::child(Signal::SIGCHLD, code, process.pid, process.uid(), status);
        // A full queue loses it, as on Linux.
        let _ = send::to_process(&parent, info);
    }
    parent.children.wake(PollEvents::READABLE);
}
