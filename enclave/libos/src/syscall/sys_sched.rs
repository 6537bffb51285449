//! Policies and priorities of threads: sched_setscheduler and its kin, and sched_yield.
//!
//! What was asked for is kept ([`Scheduling`]); the host schedules.

use alloc::sync::Arc;

use kobject::{Errno, Result};
use linux_abi::sched::{MAX_RT_PRIO, SCHED_RESET_ON_FORK};
use linux_abi::{Capabilities, Resource, SchedulingPolicy};

use super::Call;
use super::table::Row;
use crate::process::scheduling::Scheduling;
use crate::process::{Thread, table};
use crate::uapi::Timespec;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(24, "sched_yield", sys_sched_yield, ""),
    Row::full(145, "sched_getscheduler", sys_sched_getscheduler, "d"),
    Row::partial(144, "sched_setscheduler", sys_sched_setscheduler, "ddx", NOTE),
    Row::full(143, "sched_getparam", sys_sched_getparam, "dx"),
    Row::partial(142, "sched_setparam", sys_sched_setparam, "dx", NOTE),
    Row::full(146, "sched_get_priority_max", sys_sched_get_priority_max, "d"),
    Row::full(147, "sched_get_priority_min", sys_sched_get_priority_min, "d"),
    Row::partial(
        148,
        "sched_rr_get_interval",
        sys_sched_rr_get_interval,
        "dx",
        "what Linux gives by default: the host schedules",
    ),
];

const NOTE: &str = "remembered, and without effect: the host schedules; no SCHED_DEADLINE";

fn sys_sched_yield(_: &mut Call<'_>) -> Result<u64> {
    // Threads are the host's to schedule: a wait of no length lets it run another one.
    enclave_rt::thread::park(kobject::Wait::NONE);
    Ok(0)
}

fn sys_sched_getscheduler(call: &mut Call<'_>) -> Result<u64> {
    let thread = thread_of(call)?;
    let scheduling = thread.scheduling.lock();
    let reset = if scheduling.resets_on_fork {
        SCHED_RESET_ON_FORK
    } else {
        0
    };
    Ok((scheduling.policy.0 | reset) as u64)
}

fn sys_sched_setscheduler(call: &mut Call<'_>) -> Result<u64> {
    let (policy, parameters) = (call.int(1), call.pointer(2));
    if policy < 0 || parameters == 0 || call.int(0) < 0 {
        return Err(Errno::EINVAL);
    }
    let priority: u32 = user::get(parameters)?;
    let thread = thread_of(call)?;
    let wanted = Wanted {
        policy: Some((
            SchedulingPolicy(policy & !SCHED_RESET_ON_FORK),
            policy & SCHED_RESET_ON_FORK != 0,
        )),
        priority,
        nice: None,
    };
    wanted.apply(call, &thread)
}

fn sys_sched_getparam(call: &mut Call<'_>) -> Result<u64> {
    let parameters = call.pointer(1);
    if parameters == 0 {
        return Err(Errno::EINVAL);
    }
    let priority = thread_of(call)?.scheduling.lock().priority;
    user::put(parameters, &priority)?;
    Ok(0)
}

fn sys_sched_setparam(call: &mut Call<'_>) -> Result<u64> {
    let parameters = call.pointer(1);
    if parameters == 0 || call.int(0) < 0 {
        return Err(Errno::EINVAL);
    }
    let priority: u32 = user::get(parameters)?;
    let thread = thread_of(call)?;
    let wanted = Wanted {
        policy: None,
        priority,
        nice: None,
    };
    wanted.apply(call, &thread)
}

/// The slices of Linux at HZ=250: `RR_TIMESLICE`, and the fair policies' smallest one, which is less than a tick.
fn sys_sched_rr_get_interval(call: &mut Call<'_>) -> Result<u64> {
    let thread = thread_of(call)?;
    let nanoseconds = match thread.scheduling.lock().policy {
        SchedulingPolicy::SCHED_RR => 100_000_000,
        SchedulingPolicy::SCHED_FIFO => 0,
        _ => 4_000_000,
    };
    let interval = Timespec {
        seconds: 0,
        nanoseconds,
    };
    user::put(call.pointer(1), &interval)?;
    Ok(0)
}

/// What a thread is to have.
pub(super) struct Wanted {
    /// The policy, and whether children do not inherit it; `None` for those that it has.
    pub(super) policy: Option<(SchedulingPolicy, bool)>,
    pub(super) priority: u32,
    /// `None` for the one that it has.
    pub(super) nice: Option<i32>,
}

impl Wanted {
    /// Gives a thread what it is to have, if the caller may do that (`__sched_setscheduler` of the kernel).
    ///
    /// # Errors
    /// EINVAL for policies that there are not, and for priorities that do not belong to them; EPERM.
    pub(super) fn apply(&self, call: &Call<'_>, thread: &Thread) -> Result<u64> {
        let mut scheduling = thread.scheduling.lock();
        let kept = (scheduling.policy, scheduling.resets_on_fork);
        let (policy, resets_on_fork) = self.policy.unwrap_or(kept);
        let is_real_time = match policy {
            SchedulingPolicy::SCHED_NORMAL | SchedulingPolicy::SCHED_BATCH | SchedulingPolicy::SCHED_IDLE => {
                false
            }
            SchedulingPolicy::SCHED_FIFO | SchedulingPolicy::SCHED_RR => true,
            SchedulingPolicy::SCHED_DEADLINE => return Err(Errno::EPERM),
            _ => return Err(Errno::EINVAL),
        };
        if u64::from(self.priority) > MAX_RT_PRIO || is_real_time != (self.priority != 0) {
            return Err(Errno::EINVAL);
        }
        let after = Scheduling {
            policy,
            resets_on_fork,
            priority: self.priority,
            nice: match self.nice {
                Some(nice) if policy != SchedulingPolicy::SCHED_IDLE && !is_real_time => nice,
                _ => scheduling.nice,
            },
            ..scheduling.clone()
        };
        if !may_change(call, thread, &scheduling, &after) {
            call.thread.credentials().require(Capabilities::CAP_SYS_NICE)?;
        }
        *scheduling = after;
        Ok(0)
    }
}

/// Whether the caller may do this without privilege (`user_check_sched_setscheduler` of the kernel).
fn may_change(call: &Call<'_>, thread: &Thread, before: &Scheduling, after: &Scheduling) -> bool {
    let most = thread.process.limits.lock()[Resource::RLIMIT_RTPRIO].current;
    let is_too_urgent = after.is_real_time()
        && ((after.policy != before.policy && most == 0)
            || (after.priority > before.priority && u64::from(after.priority) > most));
    let leaves_idle = before.policy == SchedulingPolicy::SCHED_IDLE
        && after.policy != SchedulingPolicy::SCHED_IDLE
        && !may_be_as_nice_as(thread, after.nice);
    !(is_too_urgent
        || leaves_idle
        || (after.nice < before.nice && !may_be_as_nice_as(thread, after.nice))
        || (before.resets_on_fork && !after.resets_on_fork)
        || !is_owner(call, thread))
}

/// Whether RLIMIT_NICE lets a thread have this nice value.
pub(super) fn may_be_as_nice_as(thread: &Thread, nice: i32) -> bool {
    let limit = thread.process.limits.lock()[Resource::RLIMIT_NICE].current;
    u64::try_from(20 - nice).is_ok_and(|rank| rank <= limit)
}

/// Whether the caller acts as the user whose thread it is.
pub(super) fn is_owner(call: &Call<'_>, thread: &Thread) -> bool {
    let [real, effective, ..] = thread.credentials().uid;
    [real, effective].contains(&call.thread.credentials().euid())
}

/// The thread that the first argument names; 0 is the calling one. EINVAL for a negative number, ESRCH.
pub(super) fn thread_of(call: &Call<'_>) -> Result<Arc<Thread>> {
    let tid = u32::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    if tid == 0 {
        return Ok(call.thread.clone());
    }
    table::thread(tid).ok_or(Errno::ESRCH)
}

fn sys_sched_get_priority_max(call: &mut Call<'_>) -> Result<u64> {
    Ok(priorities(SchedulingPolicy(call.int(0)))?.1)
}

fn sys_sched_get_priority_min(call: &mut Call<'_>) -> Result<u64> {
    Ok(priorities(SchedulingPolicy(call.int(0)))?.0)
}

/// The lowest and the highest priority of a policy.
fn priorities(policy: SchedulingPolicy) -> Result<(u64, u64)> {
    match policy {
        SchedulingPolicy::SCHED_FIFO | SchedulingPolicy::SCHED_RR => Ok((1, MAX_RT_PRIO)),
        SchedulingPolicy::SCHED_NORMAL
        | SchedulingPolicy::SCHED_BATCH
        | SchedulingPolicy::SCHED_IDLE
        | SchedulingPolicy::SCHED_DEADLINE => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}
