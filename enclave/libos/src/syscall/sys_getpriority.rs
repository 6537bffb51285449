//! getpriority, setpriority.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::{Credentials, Errno, Result};
use linux_abi::sched::{MAX_NICE, MIN_NICE};
use linux_abi::{Capabilities, PriorityTarget};

use super::Call;
use super::sys_setuid::with;
use super::table::Row;
use crate::process::{Process, table};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(140, "getpriority", sys_getpriority, "dd"),
    Row::partial(
        141,
        "setpriority",
        sys_setpriority,
        "ddd",
        "remembered for the process, and without effect: the host schedules",
    ),
];

/// The kernel gives 20 minus the nice value.
fn sys_getpriority(call: &mut Call<'_>) -> Result<u64> {
    let nice = prioritised(call)?
        .iter()
        .map(|process| process.nice.load(Ordering::Relaxed))
        .min();
    Ok((MAX_NICE + 1 - nice.ok_or(Errno::ESRCH)?) as u64)
}

fn sys_setpriority(call: &mut Call<'_>) -> Result<u64> {
    let nice = call.int(2).clamp(MIN_NICE, MAX_NICE);
    let caller = with(call, Credentials::clone);
    let set = |process: &Process| {
        let its = process.credentials();
        let owns = [its.uid[0], its.uid[1]].contains(&caller.euid());
        let is_privileged = caller.has(Capabilities::CAP_SYS_NICE);
        if !owns && !is_privileged {
            return Err(Errno::EPERM);
        }
        if nice < process.nice.load(Ordering::Relaxed) && !is_privileged {
            return Err(Errno::EACCES);
        }
        // Nor is a process slowed by one that has fewer capabilities (cap_safe_nice of the kernel).
        let may_more = !caller.privileges.permitted.contains(its.privileges.permitted);
        if may_more && !is_privileged {
            return Err(Errno::EPERM);
        }
        process.nice.store(nice, Ordering::Relaxed);
        Ok(0)
    };
    // All that may be, and the last error of those that may not.
    let results = prioritised(call)?.into_iter().map(|process| set(&process));
    results
        .reduce(|before, now| if now.is_err() { now } else { before })
        .unwrap_or(Err(Errno::ESRCH))
}

/// The processes that getpriority and setpriority are about.
fn prioritised(call: &Call<'_>) -> Result<Vec<Arc<Process>>> {
    let own = &call.thread.process;
    let who = call.uint(1);
    let all = |is_meant: &dyn Fn(&Process) -> bool| {
        let all = table::processes().into_iter();
        all.filter(|process| is_meant(process)).collect()
    };
    Ok(match PriorityTarget(call.int(0)) {
        PriorityTarget::PRIO_PROCESS if who == 0 => vec![own.clone()],
        PriorityTarget::PRIO_PROCESS => table::thread(who)
            .map(|thread| thread.process.clone())
            .into_iter()
            .collect(),
        PriorityTarget::PRIO_PGRP => {
            let own = own.group.load(Ordering::Relaxed);
            let group = if who == 0 { own } else { who };
            all(&|process| process.group.load(Ordering::Relaxed) == group)
        }
        PriorityTarget::PRIO_USER => {
            let user = if who == 0 { own.uid() } else { who };
            all(&|process| process.uid() == user)
        }
        _ => return Err(Errno::EINVAL),
    })
}
