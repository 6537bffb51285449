//! membarrier: a full barrier on all threads at once.
//!
//! The host is trusted neither to interrupt a thread nor to say that it did. So each thread that may run its program has to
//! acknowledge: it is made to look at what is pending, and on its way back to the program it says up to which barrier it has
//! come. A thread that blocks in the host has executed a barrier on the way there, and what it reads once it is back
//! it reads after this. A host that interrupts nobody delays the caller, no more.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use host_abi::Wait;
use kobject::{Errno, Mutex, Result};

use super::Call;
use super::table::Row;
use crate::process::{Thread, table};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    324,
    "membarrier",
    sys_membarrier,
    "dxd",
    "not for instructions that were changed (SYNC_CORE), nor for restartable sequences",
)];

const QUERY: u64 = 0;
const GLOBAL: u64 = 1;
const GLOBAL_EXPEDITED: u64 = 2;
const REGISTER_GLOBAL_EXPEDITED: u64 = 4;
const PRIVATE_EXPEDITED: u64 = 8;
const REGISTER_PRIVATE_EXPEDITED: u64 = 16;
const GET_REGISTRATIONS: u64 = 512;

/// How often the caller looks for acknowledgements before it waits, and how long it waits then.
const LOOKS: u32 = 200;
const PAUSE: Wait = Wait::nanoseconds(50_000);

/// One barrier at a time: the number of the last one.
static BARRIER: Mutex<u64> = Mutex::new(0);
/// That number, for threads that acknowledge.
static WANTED: AtomicU64 = AtomicU64::new(0);

fn sys_membarrier(call: &mut Call<'_>) -> Result<u64> {
    // Commands and flags are numbers of 32 bits.
    let [command, flags] = [call.args[0], call.args[1]].map(|arg| u64::from(arg as u32));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    match command {
        QUERY => Ok(GLOBAL
            | GLOBAL_EXPEDITED
            | REGISTER_GLOBAL_EXPEDITED
            | PRIVATE_EXPEDITED
            | REGISTER_PRIVATE_EXPEDITED
            | GET_REGISTRATIONS),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED => {
            process.barriers.fetch_or(command, Ordering::Relaxed);
            Ok(0)
        }
        GET_REGISTRATIONS => Ok(process.barriers.load(Ordering::Relaxed)),
        PRIVATE_EXPEDITED if process.barriers.load(Ordering::Relaxed) & REGISTER_PRIVATE_EXPEDITED == 0 => {
            Err(Errno::EPERM)
        }
        PRIVATE_EXPEDITED => {
            barrier(call.thread, process.threads());
            Ok(0)
        }
        GLOBAL | GLOBAL_EXPEDITED => {
            let threads = table::processes()
                .iter()
                .flat_map(|process| process.threads())
                .collect();
            barrier(call.thread, threads);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn barrier(caller: &Arc<Thread>, mut threads: Vec<Arc<Thread>>) {
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
