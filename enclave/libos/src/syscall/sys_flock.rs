//! flock.

use kobject::{Errno, Result};
use libos_fs::{LockKind, LockWait};
use linux_abi::FlockFlags;

use super::Call;
use super::table::{Restart, Row};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(73, "flock", sys_flock, "dd").restarts(Restart::WithFlag)];

fn sys_flock(call: &mut Call<'_>) -> Result<u64> {
    let (fd, operation) = (call.fd(0), FlockFlags::from_bits_retain(call.uint(1)));
    // Mandatory locks are no more, and asking for one has no effect.
    if operation.contains(FlockFlags::LOCK_MAND) {
        return Ok(0);
    }
    let kind = match operation - FlockFlags::LOCK_NB {
        FlockFlags::LOCK_SH => LockKind::Shared,
        FlockFlags::LOCK_EX => LockKind::Exclusive,
        FlockFlags::LOCK_UN => LockKind::Unlock,
        _ => return Err(Errno::EINVAL),
    };
    let file = call.file(fd)?;
    let wait = if operation.contains(FlockFlags::LOCK_NB) {
        LockWait::Try
    } else {
        LockWait::Wait
    };
    call.thread
        .retry_interrupted(|| libos_fs::lock_file(&file, kind, wait))?;
    Ok(0)
}
