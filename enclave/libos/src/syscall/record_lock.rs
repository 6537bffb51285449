//! Locks on ranges of a file: F_SETLK and its kin of fcntl.

use kobject::{Description, Errno, Result};
use libos_fs::{LockKind, LockOwner, LockWait, RecordLock};
use linux_abi::Whence;

use super::Call;
use crate::uapi::Flock;
use crate::user::{self, Address};

const F_RDLCK: i16 = 0;

const F_WRLCK: i16 = 1;

const F_UNLCK: i16 = 2;

/// fcntl(2) with F_GETLK (5), F_SETLK (6), F_SETLKW (7) or F_OFD_GETLK (36), F_OFD_SETLK (37), F_OFD_SETLKW (38).
pub(super) fn record_lock(call: &Call<'_>, file: &Description, command: u32, at: Address) -> Result<u64> {
    let raw: Flock = user::get(at)?;
    let owner = if command >= 36 {
        LockOwner::OpenFile
    } else {
        LockOwner::Process(call.thread.process.pid)
    };
    if owner == LockOwner::OpenFile && raw.pid != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = match raw.kind {
        F_RDLCK => LockKind::Shared,
        F_WRLCK => LockKind::Exclusive,
        F_UNLCK => LockKind::Unlock,
        _ => return Err(Errno::EINVAL),
    };
    let whence = u32::try_from(raw.whence).map_err(|_| Errno::EINVAL)?;
    let lock = RecordLock::new(file, kind, Whence(whence), raw.start, raw.len)?;
    if command == 5 || command == 36 {
        let out = match libos_fs::test_record(file, owner, &lock)? {
            None => Flock { kind: F_UNLCK, ..raw },
            Some((against, holder)) => Flock {
                kind: if against.kind == LockKind::Shared {
                    F_RDLCK
                } else {
                    F_WRLCK
                },
                whence: 0,
                start: against.start as i64,
                len: against.len(),
                pid: holder.map_or(-1, |pid| pid as i32),
                ..raw
            },
        };
        user::put(at, &out)?;
        return Ok(0);
    }
    let flags = file.flags();
    let allowed = match kind {
        LockKind::Shared => flags.readable(),
        LockKind::Exclusive => flags.writable(),
        LockKind::Unlock => true,
    };
    if !allowed {
        return Err(Errno::EBADF);
    }
    let wait = if command == 7 || command == 38 {
        LockWait::Wait
    } else {
        LockWait::Try
    };
    call.thread
        .retry_interrupted(|| libos_fs::lock_record(file, owner, lock, wait))?;
    Ok(0)
}
