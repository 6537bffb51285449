//! Process groups and sessions: getpgid, getpgrp, setpgid, getsid, setsid.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};

use super::Call;
use super::table::Row;
use crate::process::table;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(121, "getpgid", sys_getpgid, "d"),
    Row::full(111, "getpgrp", sys_getpgrp, ""),
    Row::full(109, "setpgid", sys_setpgid, "dd"),
    Row::full(124, "getsid", sys_getsid, "d"),
    Row::full(112, "setsid", sys_setsid, ""),
];

pub(super) fn process_of(call: &Call<'_>, pid: u32) -> Result<alloc::sync::Arc<crate::process::Process>> {
    if pid == 0 {
        return Ok(call.thread.process.clone());
    }
    table::process(pid).ok_or(Errno::ESRCH)
}

fn sys_getpgid(call: &mut Call<'_>) -> Result<u64> {
    Ok(process_of(call, call.uint(0))?
        .group
        .load(Ordering::Relaxed)
        .into())
}

fn sys_getpgrp(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.group.load(Ordering::Relaxed).into())
}

fn sys_setpgid(call: &mut Call<'_>) -> Result<u64> {
    if call.int(1) < 0 {
        return Err(Errno::EINVAL);
    }
    let caller = &call.thread.process;
    let process = process_of(call, call.uint(0))?;
    let session = caller.session.load(Ordering::Relaxed);
    if process.pid != caller.pid {
        // A child that has not executed a program yet, in the same session (setpgid(2)).
        if process.parent() != caller.pid {
            return Err(Errno::ESRCH);
        }
        if process.session.load(Ordering::Relaxed) != session {
            return Err(Errno::EPERM);
        }
        if process.has_executed.load(Ordering::Relaxed) {
            return Err(Errno::EACCES);
        }
    }
    // A session's leader stays in its own group.
    if process.session.load(Ordering::Relaxed) == process.pid {
        return Err(Errno::EPERM);
    }
    let group = if call.uint(1) == 0 {
        process.pid
    } else {
        call.uint(1)
    };
    let is_there = group == process.pid || exists(group, session);
    if !is_there {
        return Err(Errno::EPERM);
    }
    process.group.store(group, Ordering::Relaxed);
    Ok(0)
}

/// Whether a session has a group with this number.
fn exists(group: u32, session: u32) -> bool {
    table::processes().iter().any(|process| {
        process.group.load(Ordering::Relaxed) == group && process.session.load(Ordering::Relaxed) == session
    })
}

fn sys_getsid(call: &mut Call<'_>) -> Result<u64> {
    Ok(process_of(call, call.uint(0))?
        .session
        .load(Ordering::Relaxed)
        .into())
}

fn sys_setsid(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    // A group's leader would leave its group behind without one.
    let leads = |other: &alloc::sync::Arc<crate::process::Process>| {
        other.group.load(Ordering::Relaxed) == process.pid
    };
    if table::processes().iter().any(leads) {
        return Err(Errno::EPERM);
    }
    process.group.store(process.pid, Ordering::Relaxed);
    process.session.store(process.pid, Ordering::Relaxed);
    let terminal = process.terminal.lock().take();
    drop(terminal);
    Ok(process.pid.into())
}
