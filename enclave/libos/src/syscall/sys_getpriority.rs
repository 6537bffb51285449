//! getpriority, setpriority.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::sched::{MAX_NICE, MIN_NICE};
use linux_abi::{Capabilities, PriorityTarget};

use super::Call;
use super::sys_setuid::with;
use super::table::Row;
use crate::process::Process;

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
    Ok((MAX_NICE + 1 - nice.unwrap_or(0)) as u64)
}

fn sys_setpriority(call: &mut Call<'_>) -> Result<u64> {
    let nice = call.int(2).clamp(MIN_NICE, MAX_NICE);
    let privileged = with(call, |caller| caller.has(Capabilities::CAP_SYS_NICE));
    for process in prioritised(call)? {
        if nice < process.nice.load(Ordering::Relaxed) && !privileged {
            return Err(Errno::EACCES);
        }
        process.nice.store(nice, Ordering::Relaxed);
    }
    Ok(0)
}

/// The processes that getpriority and setpriority are about.
fn prioritised(call: &Call<'_>) -> Result<Vec<Arc<Process>>> {
    let own = &call.thread.process;
    let who = call.uint(1);
    let has_number = match PriorityTarget(call.int(0)) {
        PriorityTarget::PRIO_PROCESS => own.thread(who).is_some(),
        PriorityTarget::PRIO_PGRP => own.group.load(Ordering::Relaxed) == who,
        PriorityTarget::PRIO_USER => own.uid() == who,
        _ => return Err(Errno::EINVAL),
    };
    // The container's one process: see `process::table`.
    match who == 0 || has_number {
        true => Ok(vec![own.clone()]),
        false => Err(Errno::ESRCH),
    }
}
