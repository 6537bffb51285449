//! Runs of zero pages that nobody has touched yet.
//!
//! An enclave has many of them: a stack and a save area for each thread that may ever run. Like the SGX driver, the emulator maps them
//! when they are first touched: each run on its own costs the kernel a mapping, at the start and again at the end.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};

use enclave_layout::PageRange;

use super::address_space::protect;

/// A run that is to be mapped.
#[derive(Clone, Copy, Debug)]
struct Untouched {
    pages: PageRange,
    permissions: u64,
    is_mapped: bool,
}

/// The runs of the process's one enclave, in ascending order. A signal handler has nothing else to find them by.
struct Runs {
    lock: AtomicBool,
    runs: UnsafeCell<Vec<Untouched>>,
}

// SAFETY: the runs are used under the lock alone.
unsafe impl Sync for Runs {}

static RUNS: Runs = Runs {
    lock: AtomicBool::new(false),
    runs: UnsafeCell::new(Vec::new()),
};

impl Runs {
    /// Who holds the lock touches no enclave memory and allocates only while no enclave runs, so a signal handler may wait for it.
    fn with<R>(&self, f: impl FnOnce(&mut Vec<Untouched>) -> R) -> R {
        while self.lock.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        // SAFETY: the lock is held.
        let result = f(unsafe { &mut *self.runs.get() });
        self.lock.store(false, Ordering::Release);
        result
    }
}

/// Forgets the runs of an enclave that is gone.
pub(super) fn begin() {
    RUNS.with(Vec::clear);
}

/// Leaves a run, which lies above all others, unmapped until it is touched.
pub(super) fn add(pages: PageRange, permissions: u64) {
    RUNS.with(|runs| {
        runs.push(Untouched {
            pages,
            permissions,
            is_mapped: false,
        });
    });
}

/// Maps what has not been touched yet of a range. Whether there was anything.
pub(super) fn map(range: PageRange) -> bool {
    RUNS.with(|runs| {
        let first = runs.partition_point(|run| run.pages.end() <= range.start());
        let mut found = false;
        for run in runs.iter_mut().skip(first) {
            if run.pages.start() >= range.end() {
                break;
            }
            // A run that cannot be mapped stays as it is: touching it is a fault.
            if !run.is_mapped && protect(run.pages, run.permissions).is_ok() {
                run.is_mapped = true;
                found = true;
            }
        }
        found
    })
}
