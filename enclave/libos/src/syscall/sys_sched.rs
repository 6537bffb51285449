//! sched_yield, and the policies and processors of threads, which the host would have to keep.

use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::sched::{
    MAX_NICE, MAX_RT_PRIO, MIN_NICE, SCHED_ATTR_SIZE_VER0, SCHED_ATTR_SIZE_VER1, SCHED_RESET_ON_FORK,
};
use linux_abi::{Capabilities, SchedulingFlags, SchedulingPolicy};

use super::Call;
use super::table::Row;
use crate::process::{Process, table};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(24, "sched_yield", sys_sched_yield, ""),
    Row::full(204, "sched_getaffinity", sys_sched_getaffinity, "ddx"),
    Row::partial(
        203,
        "sched_setaffinity",
        sys_sched_setaffinity,
        "ddx",
        "checked, and without effect: the host schedules",
    ),
    Row::partial(
        145,
        "sched_getscheduler",
        sys_sched_getscheduler,
        "d",
        "always SCHED_OTHER",
    ),
    Row::partial(
        144,
        "sched_setscheduler",
        sys_sched_setscheduler,
        "ddx",
        "SCHED_OTHER, BATCH and IDLE are accepted",
    ),
    Row::full(143, "sched_getparam", sys_sched_getparam, "dx"),
    Row::partial(142, "sched_setparam", sys_sched_setparam, "dx", "priority 0 only"),
    Row::partial(
        315,
        "sched_getattr",
        sys_sched_getattr,
        "dxdx",
        "always SCHED_OTHER, with the nice value",
    ),
    Row::partial(
        314,
        "sched_setattr",
        sys_sched_setattr,
        "dxx",
        "as sched_setscheduler; of the attributes only the nice value is kept",
    ),
    Row::full(146, "sched_get_priority_max", sys_sched_get_priority_max, "d"),
    Row::full(147, "sched_get_priority_min", sys_sched_get_priority_min, "d"),
];

fn sys_sched_yield(_: &mut Call<'_>) -> Result<u64> {
    // Threads are the host's to schedule: a wait of no length lets it run another one.
    enclave_rt::thread::park(kobject::Wait::NONE);
    Ok(0)
}

/// The processors that the host lets the container use, from 0 on.
fn sys_sched_getaffinity(call: &mut Call<'_>) -> Result<u64> {
    let (len, out) = (call.uint(1), call.pointer(2));
    check_thread(call)?;
    let processors = crate::container().processor.count;
    let size = (processors as usize).div_ceil(64) * 8;
    if (len as usize) < size || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let mut mask = vec![0u8; size];
    for processor in 0..processors as usize {
        if let Some(byte) = mask.get_mut(processor / 8) {
            *byte |= 1 << (processor % 8);
        }
    }
    user::put_bytes(out, &mask)?;
    Ok(size as u64)
}

/// Accepted if it names a processor that there is; the host schedules as it likes.
fn sys_sched_setaffinity(call: &mut Call<'_>) -> Result<u64> {
    let (len, mask) = (call.uint(1), call.pointer(2));
    check_thread(call)?;
    let bytes = user::get_bytes(mask, (len as usize).min(128))?;
    let processors = crate::container().processor.count as usize;
    let named = (0..processors).any(|n| bytes.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1));
    if named { Ok(0) } else { Err(Errno::EINVAL) }
}

/// SCHED_OTHER for all.
fn sys_sched_getscheduler(call: &mut Call<'_>) -> Result<u64> {
    check_thread(call)?;
    Ok(0)
}

fn sys_sched_setscheduler(call: &mut Call<'_>) -> Result<u64> {
    check_thread(call)?;
    match SchedulingPolicy(call.int(1) & !SCHED_RESET_ON_FORK) {
        SchedulingPolicy::SCHED_NORMAL | SchedulingPolicy::SCHED_BATCH | SchedulingPolicy::SCHED_IDLE => {
            Ok(0)
        }
        SchedulingPolicy::SCHED_FIFO | SchedulingPolicy::SCHED_RR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

fn sys_sched_getparam(call: &mut Call<'_>) -> Result<u64> {
    check_thread(call)?;
    user::put(call.pointer(1), &0u32)?;
    Ok(0)
}

fn sys_sched_setparam(call: &mut Call<'_>) -> Result<u64> {
    check_thread(call)?;
    let priority: u32 = user::get(call.pointer(1))?;
    if priority == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}

/// `struct sched_attr`, as far as there are values: size, policy, flags (8), nice, priority; then runtime, deadline and period (8 each)
/// and the bounds of utilisation.
const ATTRIBUTES: usize = SCHED_ATTR_SIZE_VER1;

/// The longest that a program may say that its structure is.
const MAX_ATTRIBUTES: u32 = 4096;

fn sys_sched_getattr(call: &mut Call<'_>) -> Result<u64> {
    let (at, room, flags) = (call.pointer(1), call.uint(2), call.uint(3));
    let is_size = (SCHED_ATTR_SIZE_VER0 as u32..=MAX_ATTRIBUTES).contains(&room);
    if at == 0 || call.int(0) < 0 || !is_size || flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = process_of(call)?;
    let mut bytes = vec![0; room as usize];
    let size = room.min(ATTRIBUTES as u32);
    let nice = process.nice.load(Ordering::Relaxed);
    for (offset, value) in [(0, size), (16, nice.cast_unsigned())] {
        if let Some(place) = bytes.get_mut(offset..offset + 4) {
            place.copy_from_slice(&value.to_ne_bytes());
        }
    }
    user::put_bytes(at, &bytes)?;
    Ok(0)
}

fn sys_sched_setattr(call: &mut Call<'_>) -> Result<u64> {
    let (at, call_flags) = (call.pointer(1), call.uint(2));
    if at == 0 || call.int(0) < 0 || call_flags != 0 {
        return Err(Errno::EINVAL);
    }
    let given: u32 = user::get(at)?;
    let size = if given == 0 {
        SCHED_ATTR_SIZE_VER0 as u32
    } else {
        given
    };
    let too_big = || {
        user::put(at, &(ATTRIBUTES as u32))?;
        Err(Errno::E2BIG)
    };
    if !(SCHED_ATTR_SIZE_VER0 as u32..=MAX_ATTRIBUTES).contains(&size) {
        return too_big();
    }
    let bytes = user::get_bytes(at, size as usize)?;
    if bytes.iter().skip(ATTRIBUTES).any(|&byte| byte != 0) {
        return too_big();
    }
    let (policy, flags): (i32, u64) = (user::get(at + 4)?, user::get(at + 8)?);
    let (nice, priority): (i32, u32) = (user::get(at + 16)?, user::get(at + 20)?);
    if policy < 0 {
        return Err(Errno::EINVAL);
    }
    let process = process_of(call)?;
    let flags = SchedulingFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let policy = match flags.contains(SchedulingFlags::SCHED_FLAG_KEEP_POLICY) {
        true => SchedulingPolicy::SCHED_NORMAL,
        false => SchedulingPolicy(policy),
    };
    match policy {
        SchedulingPolicy::SCHED_NORMAL | SchedulingPolicy::SCHED_BATCH | SchedulingPolicy::SCHED_IDLE
            if priority != 0 =>
        {
            return Err(Errno::EINVAL);
        }
        SchedulingPolicy::SCHED_NORMAL | SchedulingPolicy::SCHED_BATCH | SchedulingPolicy::SCHED_IDLE => {}
        SchedulingPolicy::SCHED_FIFO | SchedulingPolicy::SCHED_RR | SchedulingPolicy::SCHED_DEADLINE => {
            return Err(Errno::EPERM);
        }
        _ => return Err(Errno::EINVAL),
    }
    if !flags.contains(SchedulingFlags::SCHED_FLAG_KEEP_PARAMS) && policy != SchedulingPolicy::SCHED_IDLE {
        let nice = nice.clamp(MIN_NICE, MAX_NICE);
        if nice < process.nice.load(Ordering::Relaxed) {
            let credentials = call.thread.process.credentials();
            credentials.require(Capabilities::CAP_SYS_NICE)?;
        }
        process.nice.store(nice, Ordering::Relaxed);
    }
    Ok(0)
}

/// The process of the thread that the first argument names.
fn process_of(call: &Call<'_>) -> Result<Arc<Process>> {
    let tid = call.uint(0);
    if tid == 0 {
        return Ok(call.thread.process.clone());
    }
    let thread = table::thread(tid).ok_or(Errno::ESRCH)?;
    Ok(thread.process.clone())
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

fn check_thread(call: &Call<'_>) -> Result<()> {
    let tid = u32::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    if tid == 0 {
        return Ok(());
    }
    table::thread(tid).map(drop).ok_or(Errno::ESRCH)
}
