//! Priorities: getpriority, setpriority, ioprio_get, ioprio_set.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::sched::{IOPRIO_CLASS_SHIFT, IOPRIO_LEVELS, MAX_NICE, MIN_NICE};
use linux_abi::{Capabilities, IoPriorityClass, IoPriorityTarget, PriorityTarget};

use super::Call;
use super::sys_sched::{is_owner, may_be_as_nice_as};
use super::table::Row;
use crate::process::scheduling::Scheduling;
use crate::process::{Process, Thread, table};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(140, "getpriority", sys_getpriority, "dd"),
    Row::partial(141, "setpriority", sys_setpriority, "ddd", NOTE),
    Row::full(252, "ioprio_get", sys_ioprio_get, "dd"),
    Row::partial(251, "ioprio_set", sys_ioprio_set, "ddx", NOTE),
];

const NOTE: &str = "remembered, and without effect: the host schedules";

/// Whose priority is meant.
enum Whose {
    Thread(u32),
    Group(u32),
    User(u32),
}

/// The kernel gives 20 minus the nice value.
fn sys_getpriority(call: &mut Call<'_>) -> Result<u64> {
    let threads = threads(call, whose(call)?);
    let nice = threads.iter().map(|thread| thread.scheduling.lock().nice).min();
    Ok((MAX_NICE + 1 - nice.ok_or(Errno::ESRCH)?) as u64)
}

fn sys_setpriority(call: &mut Call<'_>) -> Result<u64> {
    let nice = call.int(2).clamp(MIN_NICE, MAX_NICE);
    let whose = whose(call)?;
    let caller = call.thread.credentials();
    let is_privileged = caller.has(Capabilities::CAP_SYS_NICE);
    let set = |thread: &Thread| {
        if !is_owner(call, thread) && !is_privileged {
            return Err(Errno::EPERM);
        }
        let before = thread.scheduling.lock().nice;
        if nice < before && !may_be_as_nice_as(thread, nice) && !is_privileged {
            return Err(Errno::EACCES);
        }
        // Nor is a process slowed by one that has fewer capabilities (cap_safe_nice of the kernel).
        let its = thread.credentials();
        if !caller.privileges.permitted.contains(its.privileges.permitted) && !is_privileged {
            return Err(Errno::EPERM);
        }
        thread.scheduling.lock().nice = nice;
        Ok(0)
    };
    all(threads(call, whose), set)
}

fn sys_ioprio_get(call: &mut Call<'_>) -> Result<u64> {
    let whose = io_whose(call)?;
    let asks_one = matches!(whose, Whose::Thread(_));
    let threads = threads(call, whose);
    let priorities = threads.iter().map(|thread| {
        let scheduling = thread.scheduling.lock();
        match asks_one {
            true => scheduling.io_priority,
            false => effective_io_priority(&scheduling),
        }
    });
    // The lower number is the better one.
    Ok(priorities.min().ok_or(Errno::ESRCH)?.into())
}

fn sys_ioprio_set(call: &mut Call<'_>) -> Result<u64> {
    let priority = call.uint(2);
    let level = priority % IOPRIO_LEVELS;
    let caller = call.thread.credentials();
    match IoPriorityClass(priority >> IOPRIO_CLASS_SHIFT) {
        IoPriorityClass::IOPRIO_CLASS_RT => {
            let either = [Capabilities::CAP_SYS_ADMIN, Capabilities::CAP_SYS_NICE];
            if !either.iter().any(|&one| caller.has(one)) {
                return Err(Errno::EPERM);
            }
        }
        IoPriorityClass::IOPRIO_CLASS_BE | IoPriorityClass::IOPRIO_CLASS_IDLE => {}
        IoPriorityClass::IOPRIO_CLASS_NONE if level == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    let set = |thread: &Thread| {
        // By the real user, unlike the nice value (`set_task_ioprio` of the kernel).
        let owner = thread.credentials().uid[0];
        let owns = [caller.uid[0], caller.euid()].contains(&owner);
        if !owns {
            caller.require(Capabilities::CAP_SYS_NICE)?;
        }
        thread.scheduling.lock().io_priority = priority;
        Ok(0)
    };
    all(threads(call, io_whose(call)?), set)
}

/// What a thread without a priority of input and output has: by its policy and its nice value.
fn effective_io_priority(scheduling: &Scheduling) -> u32 {
    if scheduling.io_priority >> IOPRIO_CLASS_SHIFT != IoPriorityClass::IOPRIO_CLASS_NONE.0 {
        return scheduling.io_priority;
    }
    let class = match scheduling {
        scheduling if scheduling.is_real_time() => IoPriorityClass::IOPRIO_CLASS_RT,
        Scheduling {
            policy: linux_abi::SchedulingPolicy::SCHED_IDLE,
            ..
        } => IoPriorityClass::IOPRIO_CLASS_IDLE,
        _ => IoPriorityClass::IOPRIO_CLASS_BE,
    };
    let level = u32::try_from(scheduling.nice + 20).unwrap_or_default() / 5;
    class.0 << IOPRIO_CLASS_SHIFT | level
}

/// Does it for all; gives the last error of those for which it failed, ESRCH if there is none at all.
fn all(threads: Vec<Arc<Thread>>, set: impl Fn(&Thread) -> Result<u64>) -> Result<u64> {
    let results = threads.iter().map(|thread| set(thread));
    results
        .reduce(|before, now| if now.is_err() { now } else { before })
        .unwrap_or(Err(Errno::ESRCH))
}

fn whose(call: &Call<'_>) -> Result<Whose> {
    let who = call.uint(1);
    match PriorityTarget(call.int(0)) {
        PriorityTarget::PRIO_PROCESS => Ok(Whose::Thread(who)),
        PriorityTarget::PRIO_PGRP => Ok(Whose::Group(who)),
        PriorityTarget::PRIO_USER => Ok(Whose::User(who)),
        _ => Err(Errno::EINVAL),
    }
}

fn io_whose(call: &Call<'_>) -> Result<Whose> {
    let who = call.uint(1);
    match IoPriorityTarget(call.int(0)) {
        IoPriorityTarget::IOPRIO_WHO_PROCESS => Ok(Whose::Thread(who)),
        IoPriorityTarget::IOPRIO_WHO_PGRP => Ok(Whose::Group(who)),
        IoPriorityTarget::IOPRIO_WHO_USER => Ok(Whose::User(who)),
        _ => Err(Errno::EINVAL),
    }
}

/// The threads that are meant; 0 is the caller's own number, group or user.
fn threads(call: &Call<'_>, whose: Whose) -> Vec<Arc<Thread>> {
    let own = call.thread;
    let of_processes = |is_meant: &dyn Fn(&Process) -> bool| {
        let all = table::processes().into_iter();
        all.filter(|process| is_meant(process))
            .flat_map(|process| process.threads())
            .collect()
    };
    match whose {
        Whose::Thread(0) => vec![own.clone()],
        Whose::Thread(tid) => table::thread(tid).into_iter().collect(),
        Whose::Group(group) => {
            let group = if group == 0 {
                own.process.group.load(Ordering::Relaxed)
            } else {
                group
            };
            of_processes(&|process| process.group.load(Ordering::Relaxed) == group)
        }
        Whose::User(user) => {
            let user = if user == 0 { own.uid() } else { user };
            let mut threads: Vec<Arc<Thread>> = of_processes(&|_| true);
            threads.retain(|thread| thread.uid() == user);
            threads
        }
    }
}
