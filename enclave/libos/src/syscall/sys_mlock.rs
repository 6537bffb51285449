//! mlock, mlock2, munlock, mlockall, munlockall.

use kobject::{Errno, Result};
use libos_mm::Bring;
use linux_abi::{Capabilities, LockAllFlags, LockFlags, Resource};

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(149, "mlock", sys_mlock, "xl", NOTE),
    Row::partial(325, "mlock2", sys_mlock2, "xlx", NOTE),
    Row::full(150, "munlock", sys_munlock, "xl"),
    Row::partial(151, "mlockall", sys_mlockall, "x", NOTE),
    Row::full(152, "munlockall", sys_munlockall, ""),
];

const NOTE: &str = "pages are brought in and counted; the host could page an enclave out all the same";

/// Bytes that the calling thread's process may lock; EPERM for none at all.
pub(super) fn limit(call: &Call<'_>) -> Result<u64> {
    if call.thread.credentials().has(Capabilities::CAP_IPC_LOCK) {
        return Ok(u64::MAX);
    }
    let limit = call.thread.process.limits.lock()[Resource::RLIMIT_MEMLOCK].current;
    if limit == 0 { Err(Errno::EPERM) } else { Ok(limit) }
}

fn sys_mlock(call: &mut Call<'_>) -> Result<u64> {
    lock(call, Bring::Now)
}

fn sys_mlock2(call: &mut Call<'_>) -> Result<u64> {
    let flags: LockFlags = call.flags(2)?;
    lock(
        call,
        match flags.contains(LockFlags::MLOCK_ONFAULT) {
            true => Bring::WhenTouched,
            false => Bring::Now,
        },
    )
}

fn lock(call: &Call<'_>, bring: Bring) -> Result<u64> {
    let limit = limit(call)?;
    let space = call.thread.process.space();
    space.lock_memory(call.pointer(0), call.ulong(1), limit, bring)?;
    Ok(0)
}

fn sys_munlock(call: &mut Call<'_>) -> Result<u64> {
    let space = call.thread.process.space();
    space.unlock_memory(call.pointer(0), call.ulong(1))?;
    Ok(0)
}

fn sys_mlockall(call: &mut Call<'_>) -> Result<u64> {
    let flags: LockAllFlags = call.flags(0)?;
    if !flags.intersects(LockAllFlags::MCL_CURRENT | LockAllFlags::MCL_FUTURE) {
        return Err(Errno::EINVAL);
    }
    let bring = match flags.contains(LockAllFlags::MCL_ONFAULT) {
        true => Bring::WhenTouched,
        false => Bring::Now,
    };
    let (now, later) = (
        flags.contains(LockAllFlags::MCL_CURRENT),
        flags.contains(LockAllFlags::MCL_FUTURE),
    );
    let limit = limit(call)?;
    call.thread
        .process
        .space()
        .lock_all_memory(now, later, limit, bring)?;
    Ok(0)
}

fn sys_munlockall(call: &mut Call<'_>) -> Result<u64> {
    call.thread.process.space().unlock_all_memory()?;
    Ok(0)
}
