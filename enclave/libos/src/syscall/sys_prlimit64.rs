//! getrlimit, setrlimit, prlimit64.

use alloc::sync::Arc;

use kobject::{Credentials, Errno, Result};
use linux_abi::{Capabilities, Resource};

use super::Call;
use super::sys_setpgid::process_of;
use super::sys_setuid::with;
use super::table::Row;
use crate::process::{Limits, Process, limits};
use crate::uapi::Rlimit;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(97, "getrlimit", sys_getrlimit, "dx"),
    Row::partial(
        160,
        "setrlimit",
        sys_setrlimit,
        "dx",
        "RLIMIT_CORE, RSS, LOCKS, RTTIME and those of what has no effect are remembered only",
    ),
    Row::partial(302, "prlimit64", sys_prlimit64, "ddxx", "as setrlimit"),
];

fn sys_getrlimit(call: &mut Call<'_>) -> Result<u64> {
    let limit = limit_of(&call.thread.process.limits.lock(), call.uint(0))?;
    user::put(call.pointer(1), &limit)?;
    Ok(0)
}

fn sys_setrlimit(call: &mut Call<'_>) -> Result<u64> {
    let new: Rlimit = user::get(call.pointer(1))?;
    set_limit(call, &call.thread.process, call.uint(0), new)
}

fn sys_prlimit64(call: &mut Call<'_>) -> Result<u64> {
    let (pid, resource, new, old) = (call.uint(0), call.uint(1), call.pointer(2), call.pointer(3));
    let process = process_of(call, pid)?;
    if process.pid != call.thread.process.pid {
        may_limit(call, &process)?;
    }
    let new = user::get_if::<Rlimit>(new)?;
    let before = limit_of(&process.limits.lock(), resource)?;
    if let Some(new) = new {
        set_limit(call, &process, resource, new)?;
    }
    user::put_if(old, &before)?;
    Ok(0)
}

fn limit_of(limits: &Limits, resource: u32) -> Result<Rlimit> {
    limits.0.get(resource as usize).copied().ok_or(Errno::EINVAL)
}

/// Another process's limits are for whom it belongs to in every role, and for who has the capability (prlimit(2)); EPERM.
fn may_limit(call: &Call<'_>, target: &Process) -> Result<()> {
    let caller = with(call, Credentials::clone);
    let target = target.credentials();
    let owns = |own: [u32; 4], its: [u32; 4]| its.iter().take(3).all(|&id| id == own[0]);
    match owns(caller.uid, target.uid) && owns(caller.gid, target.gid) {
        true => Ok(()),
        false => caller.require(Capabilities::CAP_SYS_RESOURCE),
    }
}

fn set_limit(call: &Call<'_>, process: &Arc<Process>, resource: u32, new: Rlimit) -> Result<u64> {
    let privileged = with(call, |caller| caller.has(Capabilities::CAP_SYS_RESOURCE));
    let mut limits = process.limits.lock();
    let old = limit_of(&limits, resource)?;
    if new.current > new.maximum {
        return Err(Errno::EINVAL);
    }
    let too_high = Resource(resource) == Resource::RLIMIT_NOFILE && new.maximum > limits::MAX_FILES;
    if (new.maximum > old.maximum && !privileged) || too_high {
        return Err(Errno::EPERM);
    }
    if let Some(place) = limits.0.get_mut(resource as usize) {
        *place = new;
    }
    let addresses = limits.of_addresses();
    drop(limits);
    process.space().set_limits(addresses);
    if Resource(resource) == Resource::RLIMIT_CPU {
        process.timers.limit_cpu(process)?;
    }
    Ok(0)
}
