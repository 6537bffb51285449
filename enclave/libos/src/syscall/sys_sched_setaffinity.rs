//! Which processors a thread may run on, and which one it runs on: sched_getaffinity, sched_setaffinity, getcpu.
//!
//! Where a thread runs is the host's to decide, and not known. Programs get answers that agree with each other.

use alloc::sync::Arc;

use kobject::{Errno, Result};
use linux_abi::Capabilities;

use super::Call;
use super::sys_sched::is_owner;
use super::table::Row;
use crate::process::scheduling::all_processors;
use crate::process::{Thread, table};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(204, "sched_getaffinity", sys_sched_getaffinity, "ddx"),
    Row::partial(
        203,
        "sched_setaffinity",
        sys_sched_setaffinity,
        "ddx",
        "remembered, and without effect: the host schedules",
    ),
    Row::partial(
        309,
        "getcpu",
        sys_getcpu,
        "xx",
        "the first processor that the thread may run on: where it runs is not known",
    ),
];

fn sys_sched_getaffinity(call: &mut Call<'_>) -> Result<u64> {
    let (len, out) = (call.uint(1), call.pointer(2));
    let size = mask_size();
    if (len as usize) < size || !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let thread = thread_of(call)?;
    let mut mask = thread.scheduling.lock().processors();
    mask.resize(size, 0);
    user::put_bytes(out, &mask)?;
    Ok(size as u64)
}

fn sys_sched_setaffinity(call: &mut Call<'_>) -> Result<u64> {
    let (len, mask) = (call.uint(1), call.pointer(2));
    let wanted = user::get_bytes(mask, (len as usize).min(mask_size()))?;
    let thread = thread_of(call)?;
    if !is_owner(call, &thread) {
        call.thread.credentials().require(Capabilities::CAP_SYS_NICE)?;
    }
    let allowed: Arc<[u8]> = wanted
        .iter()
        .zip(all_processors())
        .map(|(wanted, all)| wanted & all)
        .collect();
    if allowed.iter().all(|&byte| byte == 0) {
        return Err(Errno::EINVAL);
    }
    thread.scheduling.lock().affinity = Some(allowed);
    Ok(0)
}

fn sys_getcpu(call: &mut Call<'_>) -> Result<u64> {
    let processor = call.thread.scheduling.lock().processor();
    user::put_if(call.pointer(0), &processor)?;
    // There is one node.
    user::put_if(call.pointer(1), &0u32)?;
    Ok(0)
}

/// Bytes of a mask of the processors that there are, in words of 64 bits.
fn mask_size() -> usize {
    (crate::container().processor.count as usize).div_ceil(64) * 8
}

/// The thread that the first argument names; 0 is the calling one. ESRCH, for negative numbers, too.
fn thread_of(call: &Call<'_>) -> Result<Arc<Thread>> {
    let tid = call.uint(0);
    if tid == 0 {
        return Ok(call.thread.clone());
    }
    table::thread(tid).ok_or(Errno::ESRCH)
}
