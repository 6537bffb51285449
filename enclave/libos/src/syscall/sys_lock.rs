//! Locks on files: flock, and fcntl's record locks.

use kobject::{Description, Errno, Result};
use libos_fs::{LockKind, LockOwner, LockWait, RecordLock};

use super::Call;
use crate::uapi::Flock;
use crate::user;

const F_RDLCK: i16 = 0;
const F_WRLCK: i16 = 1;
const F_UNLCK: i16 = 2;

/// Waits on, as long as what interrupts is no signal for this thread.
fn waiting<R>(call: &Call<'_>, mut attempt: impl FnMut() -> Result<R>) -> Result<R> {
    loop {
        match attempt() {
            Err(Errno::EINTR) if !call.thread.is_interrupted() => {}
            done => return done,
        }
    }
}

/// flock(2).
pub(super) fn flock(call: &Call<'_>) -> Result<u64> {
    const LOCK_NB: u64 = 4;
    let [fd, operation, ..] = call.args;
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
    waiting(call, || libos_fs::lock_file(&file, kind, wait))?;
    Ok(0)
}

/// fcntl(2) with F_GETLK (5), F_SETLK (6), F_SETLKW (7) or F_OFD_GETLK (36), F_OFD_SETLK (37), F_OFD_SETLKW (38).
pub(super) fn record_lock(call: &Call<'_>, file: &Description, command: u32, at: u64) -> Result<u64> {
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
    let lock = RecordLock::new(file, kind, whence, raw.start, raw.len)?;
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
    waiting(call, || libos_fs::lock_record(file, owner, lock, wait))?;
    Ok(0)
}
