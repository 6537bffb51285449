//! Waiting for children (wait4(2), waitid(2)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result, Waiter};
use linux_abi::{PollEvents, Signal, WaitFlags};

use super::exit::Status;
use super::{Process, Thread, kin, table};

/// Which children are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Any,
    Process(u32),
    Group(u32),
}

impl Target {
    fn is(self, child: &Process) -> bool {
        match self {
            Self::Any => true,
            Self::Process(pid) => child.pid == pid,
            Self::Group(group) => child.group.load(Ordering::Relaxed) == group,
        }
    }
}

/// What was learned of a child.
pub(crate) struct Report {
    pub(crate) child: Arc<Process>,
    pub(crate) status: Status,
}

/// Waits for a child; `None` with WNOHANG, when there are such children and nothing to tell of them.
///
/// # Errors
/// ECHILD, and EINTR.
pub(crate) fn wait(thread: &Thread, target: Target, flags: WaitFlags) -> Result<Option<Report>> {
    let process = &thread.process;
    let waiter = Waiter::new();
    let _subscription = process
        .children
        .subscribe(PollEvents::READABLE, waiter.observer());
    loop {
        waiter.reset();
        if let Some(report) = look(process, target, flags)? {
            return Ok(Some(report));
        }
        if flags.contains(WaitFlags::WNOHANG) {
            return Ok(None);
        }
        thread.retry_interrupted(|| waiter.sleep(None))?;
    }
}

/// What there is to tell now.
fn look(process: &Process, target: Target, flags: WaitFlags) -> Result<Option<Report>> {
    let is_meant = |child: &Arc<Process>| {
        let is_clone = child.exit_signal.load(Ordering::Relaxed) != u32::from(Signal::SIGCHLD.raw());
        let kind = flags.contains(WaitFlags::__WALL) || is_clone == flags.contains(WaitFlags::__WCLONE);
        kind && target.is(child)
    };
    let mut children = kin::children(process.pid);
    children.retain(is_meant);
    if children.is_empty() {
        return Err(Errno::ECHILD);
    }
    let leaves = flags.contains(WaitFlags::WNOWAIT);
    for child in children {
        if child.is_zombie.load(Ordering::Acquire) {
            let Some(status) = child.ending.status() else {
                continue;
            };
            // Of several threads that wait, one learns of it.
            if flags.contains(WaitFlags::WEXITED) && (leaves || table::remove(child.pid)) {
                if !leaves {
                    process.gone.add_child(child.cpu_time() + child.gone.children());
                }
                return Ok(Some(Report { child, status }));
            }
            continue;
        }
        let is_wanted = |status: Status| match status.is_stopped() {
            true => flags.contains(WaitFlags::WSTOPPED),
            false => flags.contains(WaitFlags::WCONTINUED),
        };
        if let Some(status) = child.stop.take_change(is_wanted, leaves) {
            return Ok(Some(Report { child, status }));
        }
    }
    Ok(None)
}
