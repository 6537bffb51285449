//! Locks on files: `flock`, and POSIX record locks with their kin of open files (fcntl(2)).
//!
//! Every inode has a table of its own, made when the first lock is set. Whoever waits does so on the table's queue.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Description, Errno, Mutex, Once, Result, WaitQueue, wait_until};
use linux_abi::{PollEvents, Whence};

use crate::open_file::OpenFile;
use crate::tree::TreeInode;

/// What is done with a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Shared with other readers (LOCK_SH, F_RDLCK).
    Shared,
    /// Alone (LOCK_EX, F_WRLCK).
    Exclusive,
    /// None any more (LOCK_UN, F_UNLCK).
    Unlock,
}

/// Whether a lock that another one stands against is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Until it can be had, or a signal comes.
    Wait,
    /// EAGAIN.
    Try,
}

/// Whose a record lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// A process's (F_SETLK): gone when it closes any descriptor of the file.
    Process(u32),
    /// An open file's (F_OFD_SETLK): gone when that is closed.
    OpenFile,
}

/// A record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLock {
    /// What is done.
    pub kind: LockKind,
    /// First byte.
    pub start: u64,
    /// First byte behind it; `u64::MAX` for all that is or will be there.
    pub end: u64,
}

impl RecordLock {
    /// From the fields of a `struct flock`: EINVAL, EOVERFLOW.
    pub fn new(file: &Description, kind: LockKind, whence: Whence, start: i64, len: i64) -> Result<Self> {
        let base = match whence {
            Whence::SEEK_SET => 0,
            Whence::SEEK_CUR => file.position(),
            Whence::SEEK_END => file.object().end()?,
            _ => return Err(Errno::EINVAL),
        };
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let first = base.checked_add(start).ok_or(Errno::EOVERFLOW)?;
        let (start, end) = match len {
            0 => (first, None),
            1.. => (first, Some(first.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?)),
            _ => (first.checked_add(len).ok_or(Errno::EINVAL)?, first.checked_sub(1)),
        };
        let start = u64::try_from(start).map_err(|_| Errno::EINVAL)?;
        let end = match end {
            None => u64::MAX,
            Some(last) => u64::try_from(last).map_err(|_| Errno::EINVAL)? + 1,
        };
        Ok(Self { kind, start, end })
    }

    /// What `l_len` says of it: 0 for no end.
    #[expect(
        clippy::len_without_is_empty,
        reason = "no lock is empty: 0 says that it has no end"
    )]
    pub fn len(&self) -> i64 {
        if self.end > i64::MAX as u64 {
            0
        } else {
            (self.end - self.start) as i64
        }
    }
}

/// Whose a lock in the table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Process(u32),
    OpenFile(u64),
}

#[derive(Clone, Copy)]
struct Record {
    holder: Holder,
    lock: RecordLock,
}

impl Record {
    fn is_against(&self, holder: Holder, wanted: &RecordLock) -> bool {
        let exclusive = self.lock.kind == LockKind::Exclusive || wanted.kind == LockKind::Exclusive;
        let apart = self.lock.end <= wanted.start || wanted.end <= self.lock.start;
        self.holder != holder && exclusive && !apart
    }
}

/// The locks of one inode.
#[derive(Default)]
pub(crate) struct LockTable {
    whole: Mutex<Vec<(u64, LockKind)>>,
    records: Mutex<Vec<Record>>,
    queue: Once<Arc<WaitQueue>>,
}

/// Which process waits for which, to see deadlocks.
static WAITING: Mutex<Vec<(u32, u32)>> = Mutex::new(Vec::new());

impl LockTable {
    fn queue(&self) -> &Arc<WaitQueue> {
        self.queue.get_or_make(WaitQueue::new)
    }

    fn wake(&self) {
        if let Some(queue) = self.queue.get() {
            queue.wake(PollEvents::POLLOUT);
        }
    }

    fn wait<T>(&self, wait: LockWait, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        match wait {
            LockWait::Try => attempt(),
            LockWait::Wait => wait_until(self.queue(), PollEvents::POLLOUT, None, attempt),
        }
    }

    /// An open file is closed.
    pub(crate) fn close(&self, number: u64) {
        self.whole.lock().retain(|(holder, _)| *holder != number);
        let holder = Holder::OpenFile(number);
        self.records.lock().retain(|record| record.holder != holder);
        self.wake();
    }

    fn try_whole(&self, number: u64, kind: LockKind) -> Result<()> {
        let mut locks = self.whole.lock();
        if locks.contains(&(number, kind)) {
            return Ok(());
        }
        // As on Linux, a lock that is to become another kind is given up first, even if the other is not to be had.
        let before = locks.len();
        locks.retain(|(holder, _)| *holder != number);
        let gave_up = locks.len() != before;
        let exclusive = |known: LockKind| known == LockKind::Exclusive || kind == LockKind::Exclusive;
        let result = match kind {
            LockKind::Unlock => Ok(()),
            _ if locks.iter().any(|(_, known)| exclusive(*known)) => Err(Errno::EAGAIN),
            _ => {
                locks.push((number, kind));
                Ok(())
            }
        };
        drop(locks);
        if gave_up {
            self.wake();
        }
        result
    }

    fn try_record(&self, holder: Holder, wanted: &RecordLock, wait: LockWait) -> Result<()> {
        let mut records = self.records.lock();
        if wanted.kind != LockKind::Unlock
            && let Some(against) = records.iter().find(|record| record.is_against(holder, wanted))
        {
            return Err(match wait {
                LockWait::Wait => note_wait(holder, against.holder),
                LockWait::Try => Errno::EAGAIN,
            });
        }
        // The locks of a holder stand together, by where they begin: so F_GETLK finds the same one as on Linux.
        let place = records.iter().position(|record| record.holder == holder);
        let place = place.unwrap_or(records.len());
        let mut kept = Vec::new();
        let mut new = *wanted;
        for Record { lock, .. } in records.extract_if(.., |record| record.holder == holder) {
            let touches = lock.start <= new.end && new.start <= lock.end;
            if !touches {
                kept.push(lock);
            } else if lock.kind == new.kind {
                // One lock where two would meet.
                (new.start, new.end) = (new.start.min(lock.start), new.end.max(lock.end));
            } else {
                let parts = [
                    (lock.start, lock.end.min(new.start)),
                    (lock.start.max(new.end), lock.end),
                ];
                let parts = parts.into_iter().filter(|(start, end)| start < end);
                kept.extend(parts.map(|(start, end)| RecordLock { start, end, ..lock }));
            }
        }
        if new.kind != LockKind::Unlock {
            kept.push(new);
        }
        kept.sort_unstable_by_key(|lock| lock.start);
        let kept = kept.into_iter().map(|lock| Record { holder, lock });
        records.splice(place..place, kept);
        drop(records);
        self.wake();
        Ok(())
    }
}

/// EAGAIN, or EDEADLK if the holder waits for the one who asks.
fn note_wait(waiter: Holder, holder: Holder) -> Errno {
    let (Holder::Process(waiter), Holder::Process(holder)) = (waiter, holder) else {
        return Errno::EAGAIN;
    };
    let mut waiting = WAITING.lock();
    waiting.retain(|(known, _)| *known != waiter);
    let mut next = holder;
    // A chain longer than the table has met itself.
    for _ in 0..=waiting.len() {
        if next == waiter {
            return Errno::EDEADLK;
        }
        match waiting.iter().find(|(known, _)| *known == next) {
            Some((_, for_whom)) => next = *for_whom,
            None => break,
        }
    }
    waiting.push((waiter, holder));
    Errno::EAGAIN
}

fn forget_wait(waiter: Holder) {
    if let Holder::Process(waiter) = waiter {
        WAITING.lock().retain(|(known, _)| *known != waiter);
    }
}

/// The open file and its inode; EBADF for what cannot have locks.
fn lockable(file: &Description) -> Result<(&OpenFile, &TreeInode)> {
    let open = file.object_as::<OpenFile>().ok_or(Errno::EBADF)?;
    Ok((open, open.tree().ok_or(Errno::EBADF)?))
}

fn holder(open: &OpenFile, owner: LockOwner) -> Holder {
    match owner {
        LockOwner::Process(pid) => Holder::Process(pid),
        LockOwner::OpenFile => Holder::OpenFile(open.number()),
    }
}

/// `flock`; EAGAIN stands for EWOULDBLOCK.
pub fn lock_file(file: &Description, kind: LockKind, wait: LockWait) -> Result<()> {
    let (open, inode) = lockable(file)?;
    open.set_locked();
    let table = &inode.extra().locks;
    table.wait(wait, || table.try_whole(open.number(), kind))
}

/// `fcntl` with F_SETLK, F_SETLKW and their F_OFD_ forms.
///
/// The caller checks that the file is open for reading (shared) or writing (exclusive).
pub fn lock_record(file: &Description, owner: LockOwner, lock: RecordLock, wait: LockWait) -> Result<()> {
    let (open, inode) = lockable(file)?;
    if owner == LockOwner::OpenFile {
        open.set_locked();
    }
    let table = &inode.extra().locks;
    let holder = holder(open, owner);
    let result = table.wait(wait, || table.try_record(holder, &lock, wait));
    if wait == LockWait::Wait {
        forget_wait(holder);
    }
    result
}

/// `fcntl` with F_GETLK: the lock that stands against this one, and the process it belongs to (`None` for an open file's).
pub fn test_record(
    file: &Description,
    owner: LockOwner,
    lock: &RecordLock,
) -> Result<Option<(RecordLock, Option<u32>)>> {
    let (open, inode) = lockable(file)?;
    let Some(extra) = inode.extra_if_made() else {
        return Ok(None);
    };
    let holder = holder(open, owner);
    let records = extra.locks.records.lock();
    let against = records.iter().find(|record| record.is_against(holder, lock));
    Ok(against.map(|record| match record.holder {
        Holder::Process(pid) => (record.lock, Some(pid)),
        Holder::OpenFile(_) => (record.lock, None),
    }))
}

/// A process closes a descriptor of this file: its record locks on the file end, whichever descriptor they were set by.
pub fn release_records(file: &Description, pid: u32) {
    let Ok((_, inode)) = lockable(file) else { return };
    if let Some(extra) = inode.extra_if_made() {
        let mut records = extra.locks.records.lock();
        let before = records.len();
        records.retain(|record| record.holder != Holder::Process(pid));
        let released = records.len() != before;
        drop(records);
        if released {
            extra.locks.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Holder = Holder::Process(1);
    const B: Holder = Holder::Process(2);

    fn lock(kind: LockKind, start: u64, end: u64) -> RecordLock {
        RecordLock { kind, start, end }
    }

    fn held(table: &LockTable, holder: Holder) -> Vec<(LockKind, u64, u64)> {
        let records = table.records.lock();
        let own = records.iter().filter(|record| record.holder == holder);
        own.map(|record| (record.lock.kind, record.lock.start, record.lock.end))
            .collect()
    }

    #[test]
    fn records_split_and_merge() {
        use LockKind::{Exclusive, Shared, Unlock};
        let table = LockTable::default();
        table
            .try_record(A, &lock(Exclusive, 0, 100), LockWait::Try)
            .unwrap();
        table.try_record(A, &lock(Unlock, 40, 60), LockWait::Try).unwrap();
        assert_eq!(held(&table, A), [(Exclusive, 0, 40), (Exclusive, 60, 100)]);
        table.try_record(A, &lock(Shared, 30, 70), LockWait::Try).unwrap();
        assert_eq!(
            held(&table, A),
            [(Exclusive, 0, 30), (Shared, 30, 70), (Exclusive, 70, 100)]
        );
        assert_eq!(
            table.try_record(B, &lock(Shared, 20, 40), LockWait::Try),
            Err(Errno::EAGAIN)
        );
        table.try_record(B, &lock(Shared, 30, 70), LockWait::Try).unwrap();
        table
            .try_record(A, &lock(Exclusive, 0, 20), LockWait::Try)
            .unwrap();
        assert_eq!(
            table.try_record(A, &lock(Exclusive, 20, 40), LockWait::Try),
            Err(Errno::EAGAIN)
        );
        table.try_record(A, &lock(Shared, 10, 30), LockWait::Try).unwrap();
        assert_eq!(
            held(&table, A),
            [(Exclusive, 0, 10), (Shared, 10, 70), (Exclusive, 70, 100)]
        );
        table
            .try_record(A, &lock(Unlock, 0, u64::MAX), LockWait::Try)
            .unwrap();
        assert_eq!(held(&table, A), []);
    }

    #[test]
    fn a_circle_of_waits_is_a_deadlock() {
        let (c, d) = (Holder::Process(101), Holder::Process(102));
        assert_eq!(note_wait(c, d), Errno::EAGAIN);
        assert_eq!(note_wait(d, c), Errno::EDEADLK);
        forget_wait(c);
        assert_eq!(note_wait(d, c), Errno::EAGAIN);
        forget_wait(d);
    }

    #[test]
    fn whole_file_locks_exclude() {
        let table = LockTable::default();
        table.try_whole(1, LockKind::Shared).unwrap();
        table.try_whole(2, LockKind::Shared).unwrap();
        assert_eq!(table.try_whole(1, LockKind::Exclusive), Err(Errno::EAGAIN));
        // The shared one was given up with that.
        table.try_whole(2, LockKind::Exclusive).unwrap();
        table.close(2);
        table.try_whole(1, LockKind::Exclusive).unwrap();
    }
}
