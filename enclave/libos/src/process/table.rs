//! The process table: all processes and threads by number.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use kobject::{SpinLock, clock};

use super::{Process, Thread};

/// The first process of the container. The container ends with it, and the host's signals go to it.
pub(crate) const INIT: u32 = 1;

static PROCESSES: SpinLock<BTreeMap<u32, Arc<Process>>> = SpinLock::new(BTreeMap::new());
static NEXT: AtomicU32 = AtomicU32::new(INIT);

/// A number for a new process or thread. They are not used again before 2^22 others.
pub(crate) fn new_number() -> u32 {
    const LIMIT: u32 = 1 << 22;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if number < LIMIT && !is_used(number) {
            return number;
        }
        if number >= LIMIT {
            NEXT.store(300, Ordering::Relaxed);
        }
    }
}

/// Whether it names something: a thread, a process that has ended and was not waited for, a group or a session.
pub(crate) fn is_used(number: u32) -> bool {
    processes().iter().any(|process| {
        process.pid == number
            || process.group.load(Ordering::Relaxed) == number
            || process.session.load(Ordering::Relaxed) == number
            || process.thread(number).is_some()
    })
}

/// Adds a process.
pub(crate) fn add(process: Arc<Process>) {
    PROCESSES.lock().insert(process.pid, process);
}

/// Takes out a process that has ended; whether it was there.
pub(crate) fn remove(pid: u32) -> bool {
    let removed = PROCESSES.lock().remove(&pid);
    // Dropped without the lock: it may hold the last reference.
    removed.is_some()
}

/// The process with this number.
pub(crate) fn process(pid: u32) -> Option<Arc<Process>> {
    PROCESSES.lock().get(&pid).cloned()
}

/// All processes, in the order of their numbers.
pub(crate) fn processes() -> Vec<Arc<Process>> {
    PROCESSES.lock().values().cloned().collect()
}

/// The thread with this number.
pub(crate) fn thread(tid: u32) -> Option<Arc<Thread>> {
    processes().iter().find_map(|process| process.thread(tid))
}

/// Nanoseconds since the first process began.
pub(crate) fn uptime() -> u64 {
    let first = process(INIT).map_or(0, |process| process.started);
    clock::monotonic().saturating_sub(first)
}
