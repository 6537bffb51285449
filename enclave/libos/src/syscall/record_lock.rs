//! Locks on ranges of a file: F_SETLK and its kin of fcntl.

use kobject::{Description, Errno, Result};
use libos_fs::{LockKind, LockOwner, LockWait, RecordLock};
use linux_abi::{FcntlCommand, RecordLockType, Whence};

use super::Call;
use crate::uapi::Flock;
use crate::user::{self, Address};

/// fcntl(2) with F_GETLK, F_SETLK, F_SETLKW or F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW.
pub(super) fn record_lock(
    call: &Call<'_>,
    file: &Description,
    command: FcntlCommand,
    at: Address,
) -> Result<u64> {
    let raw: Flock = user::get(at)?;
    let owner = match command {
        FcntlCommand::F_OFD_GETLK | FcntlCommand::F_OFD_SETLK | FcntlCommand::F_OFD_SETLKW => {
            LockOwner::OpenFile
        }
        _ => LockOwner::Process(call.thread.process.pid),
    };
    if owner == LockOwner::OpenFile && raw.pid != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = match RecordLockType(raw.kind) {
        RecordLockType::F_RDLCK => LockKind::Shared,
        RecordLockType::F_WRLCK => LockKind::Exclusive,
        RecordLockType::F_UNLCK => LockKind::Unlock,
        _ => return Err(Errno::EINVAL),
    };
    let whence = u32::try_from(raw.whence).map_err(|_| Errno::EINVAL)?;
    let lock = RecordLock::new(file, kind, Whence(whence), raw.start, raw.len)?;
    if matches!(command, FcntlCommand::F_GETLK | FcntlCommand::F_OFD_GETLK) {
        let out = match libos_fs::test_record(file, owner, &lock)? {
            None => Flock {
                kind: RecordLockType::F_UNLCK.0,
                ..raw
            },
            Some((against, holder)) => Flock {
                kind: if against.kind == LockKind::Shared {
                    RecordLockType::F_RDLCK.0
                } else {
                    RecordLockType::F_WRLCK.0
                },
                whence: Whence::SEEK_SET.0 as i16,
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
    let wait = match command {
        FcntlCommand::F_SETLKW | FcntlCommand::F_OFD_SETLKW => LockWait::Wait,
        _ => LockWait::Try,
    };
    call.thread
        .retry_interrupted(|| libos_fs::lock_record(file, owner, lock, wait))?;
    Ok(0)
}
