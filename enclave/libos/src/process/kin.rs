//! Parents and children: who is told of an end, and who becomes the parent of orphans.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use kobject::SpinLock;
use linux_abi::signal::SIG_IGN;
use linux_abi::{ActionFlags, PollEvents, Signal, SignalCode};

use super::exit::Status;
use super::{Process, stop, table};
use crate::signal::{SignalInfo, send};

/// Held while a process becomes a zombie and while parents change, so that each end is told to who is the parent then.
static KINSHIP: SpinLock<()> = SpinLock::new(());

/// Most zombies that the first process has adopted and not waited for. Beyond that the oldest are forgotten, as an init would do.
const MAX_ADOPTED: usize = 4096;

/// The children of a process, in the order of their numbers.
pub(crate) fn children(pid: u32) -> Vec<Arc<Process>> {
    let mut processes = table::processes();
    processes.retain(|process| process.parent() == pid);
    processes
}

/// A process has ended, with all its threads: its parent is told, and it stays in the table until that has waited for it.
pub(crate) fn end(process: &Arc<Process>, status: Status) {
    let orphans = {
        let _kinship = KINSHIP.lock();
        process.is_zombie.store(true, Ordering::Release);
        let orphans = children(process.pid);
        for orphan in &orphans {
            orphan.parent.store(guardian(process), Ordering::Relaxed);
            orphan.is_adopted.store(true, Ordering::Relaxed);
            orphan
                .exit_signal
                .store(Signal::SIGCHLD.raw().into(), Ordering::Relaxed);
        }
        orphans
    };
    let groups = orphaned_groups(process, &orphans);
    process.ends.wake(PollEvents::READABLE);
    tell_parent(process, status);
    groups.into_iter().for_each(let_go);
    for orphan in orphans {
        let signal = orphan.death_signal.load(Ordering::Relaxed);
        if let Some(signal) = Signal::from_raw(signal.into()) {
            // A full queue loses it, as on Linux.
            let _ = send::to_process(
                &orphan,
                SignalInfo::sent(signal, SignalCode::SI_USER, process.pid, 0),
            );
        }
        if orphan.is_zombie.load(Ordering::Acquire)
            && let Some(status) = orphan.ending.status()
        {
            tell_parent(&orphan, status);
        }
    }
    forget_adopted();
}

/// The groups that nobody can continue any more, because this process has ended: its own, or those of its children.
fn orphaned_groups(process: &Process, children: &[Arc<Process>]) -> Vec<u32> {
    let id = |value: &AtomicU32| value.load(Ordering::Relaxed);
    let could_continue = |parent: &Process, member: &Process| {
        id(&parent.group) != id(&member.group) && id(&parent.session) == id(&member.session)
    };
    let parent = table::process(process.parent());
    let own = parent.filter(|parent| could_continue(parent, process));
    let of_children = children.iter().filter(|child| could_continue(process, child));
    let mut groups: Vec<u32> = of_children.map(|child| id(&child.group)).collect();
    groups.extend(own.map(|_| id(&process.group)));
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|&group| stop::is_orphaned(group));
    groups
}

/// A stopped process of an orphaned group would stay so for ever: all of it gets SIGHUP and SIGCONT (setpgid(2)).
fn let_go(group: u32) {
    let mut members = table::processes();
    members.retain(|member| member.group.load(Ordering::Relaxed) == group);
    if !members.iter().any(|member| member.stop.is_stopped()) {
        return;
    }
    for signal in [Signal::SIGHUP, Signal::SIGCONT] {
        for member in &members {
            // A full queue loses it, as on Linux.
            let _ = send::to_process(member, SignalInfo::new(signal, SignalCode::SI_KERNEL));
        }
    }
}

/// Who becomes the parent of a process's orphans: the nearest ancestor that asked for it, or the first process.
fn guardian(process: &Process) -> u32 {
    let mut ancestor = table::process(process.parent());
    while let Some(candidate) = ancestor {
        let lives = !candidate.is_zombie.load(Ordering::Acquire);
        if lives && candidate.is_subreaper.load(Ordering::Relaxed) {
            return candidate.pid;
        }
        ancestor = table::process(candidate.parent());
    }
    table::INIT
}

/// Tells the parent of a zombie; one that does not want to know is no zombie any more.
fn tell_parent(process: &Arc<Process>, status: Status) {
    let signal = process.exit_signal.load(Ordering::Relaxed);
    let Some(parent) = table::process(process.parent()) else {
        table::remove(process.pid);
        return;
    };
    let signal = Signal::from_raw(signal.into());
    let action = parent.actions.lock().of(Signal::SIGCHLD);
    let is_unwanted = action.handler == SIG_IGN || action.flags.contains(ActionFlags::SA_NOCLDWAIT);
    let is_unwanted = is_unwanted && signal == Some(Signal::SIGCHLD);
    if is_unwanted {
        table::remove(process.pid);
    }
    if let Some(signal) = signal
        && !(is_unwanted && action.handler == SIG_IGN)
    {
        let (code, status) = status.of_child();
        let info = SignalInfo::child(signal, code, process.pid, process.uid(), status);
        // A full queue loses it, as on Linux.
        let _ = send::to_process(&parent, info);
    }
    parent.children.wake(PollEvents::READABLE);
}

/// A first process that does not know of orphans never waits for them: those do not pile up. Its own children stay.
fn forget_adopted() {
    let mut adopted = children(table::INIT);
    adopted.retain(|process| {
        process.is_adopted.load(Ordering::Relaxed) && process.is_zombie.load(Ordering::Acquire)
    });
    let excess = adopted.len().saturating_sub(MAX_ADOPTED);
    for process in adopted.iter().take(excess) {
        table::remove(process.pid);
    }
}
