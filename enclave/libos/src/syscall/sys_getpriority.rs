//! getpriority, setpriority.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};

use super::Call;
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
    Ok((20 - nice.unwrap_or(0)) as u64)
}

fn sys_setpriority(call: &mut Call<'_>) -> Result<u64> {
    let nice = call.int(2).clamp(-20, 19);
    let privileged = call.thread.process.context.lock().credentials.euid() == 0;
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
    const PRIO_PROCESS: i32 = 0;
    const PRIO_PGRP: i32 = 1;
    const PRIO_USER: i32 = 2;
    let own = &call.thread.process;
    let who = call.uint(1);
    let is_meant = |process: &Process| match call.int(0) {
        PRIO_PROCESS => who == 0 || process.thread(who).is_some(),
        PRIO_PGRP => who == 0 || process.group.load(Ordering::Relaxed) == who,
        _ => who == 0 || process.uid() == who,
    };
    if !(PRIO_PROCESS..=PRIO_USER).contains(&call.int(0)) {
        return Err(Errno::EINVAL);
    }
    // The container's one process: see `process::table`.
    match is_meant(own) {
        true => Ok(vec![own.clone()]),
        false => Err(Errno::ESRCH),
    }
}
