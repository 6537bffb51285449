//! What a process is and has: numbers, groups, limits, usage, names.

use core::sync::atomic::Ordering;

use enclave_rt::{processor, user as memory};
use kobject::{Errno, Result, clock};

use super::Call;
use super::table::Row;
use crate::process::{Limits, limits, table};
use crate::signal::Signal;
use crate::uapi::{Rlimit, Rusage, Timeval, Tms};
use crate::{time, user};

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(39, "getpid", sys_getpid, ""),
    Row::full(186, "gettid", sys_gettid, ""),
    Row::full(110, "getppid", sys_getppid, ""),
    Row::full(121, "getpgid", sys_getpgid, "d"),
    Row::full(111, "getpgrp", sys_getpgrp, ""),
    Row::full(109, "setpgid", sys_setpgid, "dd"),
    Row::full(124, "getsid", sys_getsid, "d"),
    Row::full(112, "setsid", sys_setsid, ""),
    Row::full(218, "set_tid_address", sys_set_tid_address, "x"),
    Row::partial(
        158,
        "arch_prctl",
        sys_arch_prctl,
        "xx",
        "ARCH_SET_FS and ARCH_GET_FS; GS is the LibOS's own",
    ),
    Row::partial(
        157,
        "prctl",
        sys_prctl,
        "dxxxx",
        "names, dumpable and what needs no effect",
    ),
    Row::partial(
        135,
        "personality",
        sys_personality,
        "x",
        "PER_LINUX; its flags are remembered",
    ),
    Row::full(97, "getrlimit", sys_getrlimit, "dx"),
    Row::partial(
        160,
        "setrlimit",
        sys_setrlimit,
        "dx",
        "RLIMIT_NOFILE and RLIMIT_FSIZE act; the others are remembered",
    ),
    Row::partial(302, "prlimit64", sys_prlimit64, "ddxx", "as setrlimit"),
    Row::partial(
        98,
        "getrusage",
        sys_getrusage,
        "dx",
        "CPU time is elapsed time: only the host knows it",
    ),
    Row::partial(100, "times", sys_times, "x", "as getrusage"),
];

pub(super) fn sys_getpid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.pid.into())
}

pub(super) fn sys_gettid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.tid.into())
}

pub(super) fn sys_getppid(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.parent().into())
}

fn process_of(call: &Call<'_>, pid: u64) -> Result<alloc::sync::Arc<crate::process::Process>> {
    match pid as u32 {
        0 => Ok(call.thread.process.clone()),
        pid => table::process(pid).ok_or(Errno::ESRCH),
    }
}

pub(super) fn sys_getpgid(call: &mut Call<'_>) -> Result<u64> {
    Ok(process_of(call, call.args[0])?
        .group
        .load(Ordering::Relaxed)
        .into())
}

pub(super) fn sys_getpgrp(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.group.load(Ordering::Relaxed).into())
}

pub(super) fn sys_setpgid(call: &mut Call<'_>) -> Result<u64> {
    if call.int(1) < 0 {
        return Err(Errno::EINVAL);
    }
    let process = process_of(call, call.args[0])?;
    // A session's leader stays in its own group.
    if process.session.load(Ordering::Relaxed) == process.pid {
        return Err(Errno::EPERM);
    }
    let group = if call.args[1] as u32 == 0 {
        process.pid
    } else {
        call.args[1] as u32
    };
    process.group.store(group, Ordering::Relaxed);
    Ok(0)
}

pub(super) fn sys_getsid(call: &mut Call<'_>) -> Result<u64> {
    Ok(process_of(call, call.args[0])?
        .session
        .load(Ordering::Relaxed)
        .into())
}

pub(super) fn sys_setsid(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    if process.group.load(Ordering::Relaxed) == process.pid {
        return Err(Errno::EPERM);
    }
    process.group.store(process.pid, Ordering::Relaxed);
    process.session.store(process.pid, Ordering::Relaxed);
    Ok(process.pid.into())
}

pub(super) fn sys_set_tid_address(call: &mut Call<'_>) -> Result<u64> {
    call.thread.clear_tid.store(call.args[0], Ordering::Relaxed);
    Ok(call.thread.tid.into())
}

/// arch_prctl: the thread pointer. GS is the LibOS's.
pub(super) fn sys_arch_prctl(call: &mut Call<'_>) -> Result<u64> {
    const SET_GS: u64 = 0x1001;
    const SET_FS: u64 = 0x1002;
    const GET_FS: u64 = 0x1003;
    const GET_GS: u64 = 0x1004;
    match call.args[0] {
        SET_FS if memory::check(call.args[1], 1).is_ok() || call.args[1] == 0 => {
            processor::set_fs_base(call.args[1]);
            Ok(0)
        }
        SET_FS => Err(Errno::EPERM),
        GET_FS => {
            user::put(call.args[1], &processor::fs_base())?;
            Ok(0)
        }
        SET_GS => Err(Errno::EPERM),
        GET_GS => {
            user::put(call.args[1], &0u64)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

pub(super) fn sys_prctl(call: &mut Call<'_>) -> Result<u64> {
    let [option, argument, ..] = call.args;
    let process = &call.thread.process;
    match option as u32 {
        // PR_SET_PDEATHSIG, PR_GET_PDEATHSIG
        1 if argument <= Signal::COUNT as u64 => {
            process.death_signal.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        2 => user::put(argument, &process.death_signal.load(Ordering::Relaxed)).map(|()| 0),
        // PR_GET_DUMPABLE, PR_SET_DUMPABLE
        3 => Ok(process.dumpable.load(Ordering::Relaxed).into()),
        4 if argument <= 1 => {
            process.dumpable.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        // PR_GET_KEEPCAPS, PR_SET_KEEPCAPS
        7 => Ok(0),
        8 if argument <= 1 => Ok(0),
        // PR_SET_NAME, PR_GET_NAME
        15 => {
            let mut name = [0; 16];
            for (place, at) in name.iter_mut().take(15).zip(argument..) {
                *place = user::get(at)?;
                if *place == 0 {
                    break;
                }
            }
            *call.thread.name.lock() = name;
            Ok(0)
        }
        16 => {
            let name = *call.thread.name.lock();
            user::put(argument, &name)?;
            Ok(0)
        }
        // PR_GET_SECCOMP: none
        21 => Ok(0),
        // PR_CAPBSET_READ: root's bounding set is full; PR_CAPBSET_DROP has no effect
        23 | 24 if argument <= 40 => Ok(u64::from(option == 23)),
        // PR_SET_TIMERSLACK, PR_GET_TIMERSLACK
        29 => Ok(0),
        30 => Ok(50_000),
        // PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER
        36 => Ok(0),
        37 => user::put(argument, &0u32).map(|()| 0),
        // PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS: nothing here gains privileges
        38 if argument == 1 => Ok(0),
        39 => Ok(1),
        // PR_GET_THP_DISABLE, PR_SET_THP_DISABLE
        41 | 42 => Ok(0),
        // PR_CAP_AMBIENT: the set is empty
        47 => Ok(0),
        // PR_SET_VMA: names for anonymous memory
        0x5356_4d41 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// personality: only Linux's own; where memory lies is not random in any way that a flag could turn off.
pub(super) fn sys_personality(call: &mut Call<'_>) -> Result<u64> {
    const QUERY: u32 = u32::MAX;
    const DOMAIN: u32 = 0xff;
    let process = &call.thread.process;
    let wanted = call.args[0] as u32;
    let before = process.personality.load(Ordering::Relaxed);
    if wanted != QUERY {
        if wanted & DOMAIN != 0 {
            return Err(Errno::EINVAL);
        }
        process.personality.store(wanted, Ordering::Relaxed);
    }
    Ok(before.into())
}

pub(super) fn sys_getrlimit(call: &mut Call<'_>) -> Result<u64> {
    let limit = limit_of(&call.thread.process.limits.lock(), call.args[0])?;
    user::put(call.args[1], &limit)?;
    Ok(0)
}

pub(super) fn sys_setrlimit(call: &mut Call<'_>) -> Result<u64> {
    let new: Rlimit = user::get(call.args[1])?;
    set_limit(call, call.args[0], new)
}

pub(super) fn sys_prlimit64(call: &mut Call<'_>) -> Result<u64> {
    let [pid, resource, new, old, ..] = call.args;
    let process = process_of(call, pid)?;
    let new = user::get_if::<Rlimit>(new)?;
    let before = limit_of(&process.limits.lock(), resource)?;
    if let Some(new) = new {
        set_limit(call, resource, new)?;
    }
    user::put_if(old, &before)?;
    Ok(0)
}

fn limit_of(limits: &Limits, resource: u64) -> Result<Rlimit> {
    let index = usize::try_from(resource).map_err(|_| Errno::EINVAL)?;
    limits.0.get(index).copied().ok_or(Errno::EINVAL)
}

fn set_limit(call: &Call<'_>, resource: u64, new: Rlimit) -> Result<u64> {
    let process = &call.thread.process;
    let privileged = process.context.lock().credentials.euid() == 0;
    let mut limits = process.limits.lock();
    let old = limit_of(&limits, resource)?;
    if new.current > new.maximum {
        return Err(Errno::EINVAL);
    }
    let too_high = resource == limits::FILES as u64 && new.maximum > limits::FILES_MOST;
    if (new.maximum > old.maximum && !privileged) || too_high {
        return Err(Errno::EPERM);
    }
    if let Some(place) = limits.0.get_mut(resource as usize) {
        *place = new;
    }
    Ok(0)
}

pub(super) fn sys_getrusage(call: &mut Call<'_>) -> Result<u64> {
    let children = match call.int(0) {
        0 | 1 => false,
        -1 => true,
        _ => return Err(Errno::EINVAL),
    };
    let user = if children { 0 } else { time::cpu_time() };
    let mut counts = [0; 14];
    if !children {
        // ru_maxrss, in KiB
        counts[0] = (call.thread.process.space.size().1 / 1024) as i64;
    }
    let usage = Rusage {
        user: Timeval::of(user),
        system: Timeval::of(0),
        counts,
    };
    user::put(call.args[1], &usage)?;
    Ok(0)
}

pub(super) fn sys_times(call: &mut Call<'_>) -> Result<u64> {
    /// Nanoseconds of a clock tick (sysconf(_SC_CLK_TCK) is 100).
    const TICK: u64 = clock::SECOND / 100;
    let user = (time::cpu_time() / TICK) as i64;
    user::put_if(
        call.args[0],
        &Tms {
            user,
            system: 0,
            children_user: 0,
            children_system: 0,
        },
    )?;
    Ok(clock::monotonic() / TICK)
}
