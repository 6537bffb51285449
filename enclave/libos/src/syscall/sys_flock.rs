//! flock.

use kobject::{Errno, Result};
use libos_fs::{LockKind, LockWait};

use super::Call;
use super::table::{Restart, Row};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(73, "flock", sys_flock, "dd").restarts(Restart::WithFlag)];

fn sys_flock(call: &mut Call<'_>) -> Result<u64> {
    const LOCK_NB: u32 = 4;
    let (fd, operation) = (call.fd(0), call.uint(1));
    let file = call.file(fd)?;
    let kind = match operation & !LOCK_NB {
        1 => LockKind::Shared,
        2 => LockKind::Exclusive,
        8 => LockKind::Unlock,
        _ => return Err(Errno::EINVAL),
    };
    let wait = if operation & LOCK_NB != 0 {
        LockWait::Try
    } else {
        LockWait::Wait
    };
    call.thread
        .retry_interrupted(|| libos_fs::lock_file(&file, kind, wait))?;
    Ok(0)
}
