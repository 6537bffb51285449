//! sched_getattr, sched_setattr.

use alloc::vec;

use kobject::{Errno, Result};
use linux_abi::sched::{MAX_NICE, MIN_NICE, SCHED_ATTR_SIZE_VER0, SCHED_ATTR_SIZE_VER1};
use linux_abi::{SchedulingFlags, SchedulingPolicy};

use super::Call;
use super::sys_sched::{Wanted, thread_of};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(315, "sched_getattr", sys_sched_getattr, "dxdx"),
    Row::partial(
        314,
        "sched_setattr",
        sys_sched_setattr,
        "dxx",
        "as sched_setscheduler; no bounds of utilisation",
    ),
];

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
    let scheduling = thread_of(call)?.scheduling.lock().clone();
    let mut bytes = vec![0; room as usize];
    let size = room.min(ATTRIBUTES as u32);
    let reset = match scheduling.resets_on_fork {
        true => SchedulingFlags::SCHED_FLAG_RESET_ON_FORK.bits() as u32,
        false => 0,
    };
    let (nice, priority) = match scheduling.is_real_time() {
        true => (0, scheduling.priority),
        false => (scheduling.nice.cast_unsigned(), 0),
    };
    let policy = scheduling.policy.0.cast_unsigned();
    for (offset, value) in [(0, size), (4, policy), (8, reset), (16, nice), (20, priority)] {
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
    let thread = thread_of(call)?;
    let flags = SchedulingFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let resets_on_fork = flags.contains(SchedulingFlags::SCHED_FLAG_RESET_ON_FORK);
    let keeps_parameters = flags.contains(SchedulingFlags::SCHED_FLAG_KEEP_PARAMS);
    let wanted = Wanted {
        policy: match flags.contains(SchedulingFlags::SCHED_FLAG_KEEP_POLICY) {
            true => None,
            false => Some((SchedulingPolicy(policy), resets_on_fork)),
        },
        priority: match keeps_parameters {
            true => thread.scheduling.lock().priority,
            false => priority,
        },
        nice: (!keeps_parameters).then(|| nice.clamp(MIN_NICE, MAX_NICE)),
    };
    wanted.apply(call, &thread)
}
