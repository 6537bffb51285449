//! A full memory barrier on many threads at once, for membarrier(2).
//!
//! The host is trusted neither to interrupt a thread nor to say that it did. So each thread that may run its program has to
//! acknowledge: it is made to look at what is pending, and on its way back to the program it says up to which barrier it has
//! come. A thread that blocks in the host has executed a barrier on the way there, and what it reads once it is back
//! it reads after this. A host that interrupts nobody delays the caller, no more.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use host_abi::Wait;
use kobject::Mutex;

use super::Thread;

/// How often the caller looks for acknowledgements before it waits, and how long it waits then.
const LOOKS: u32 = 200;
const PAUSE: Wait = Wait::nanoseconds(50_000);

/// One barrier at a time: the number of the last one.
static BARRIER: Mutex<u64> = Mutex::new(0);
/// That number, for threads that acknowledge.
static WANTED: AtomicU64 = AtomicU64::new(0);

/// Returns once each of `threads` has passed a full barrier that began after this call.
pub(crate) fn run(caller: &Arc<Thread>, mut threads: Vec<Arc<Thread>>) {
    let mut last = BARRIER.lock();
    *last += 1;
    let number = *last;
    WANTED.store(number, Ordering::SeqCst);
    // What the caller did before is seen by everyone before anyone acknowledges.
    fence(Ordering::SeqCst);
    let is_over = |thread: &Arc<Thread>| {
        Arc::ptr_eq(thread, caller)
            || thread.barrier.load(Ordering::SeqCst) >= number
            || thread.is_outside()
            // It has ended.
            || thread.process.thread(thread.tid).is_none()
    };
    threads.retain(|thread| !is_over(thread));
    for thread in &threads {
        thread.notify();
    }
    let mut looks = 0;
    while !threads.is_empty() {
        looks += 1;
        match looks > LOOKS {
            true => enclave_rt::thread::park(PAUSE),
            false => core::hint::spin_loop(),
        }
        threads.retain(|thread| !is_over(thread));
    }
    fence(Ordering::SeqCst);
}

/// The calling thread is between what its program did and what it will do.
pub(crate) fn acknowledge(thread: &Thread) {
    let number = WANTED.load(Ordering::SeqCst);
    fence(Ordering::SeqCst);
    thread.barrier.store(number, Ordering::SeqCst);
}
