//! What a process has read and written, for /proc/PID/io.

use core::sync::atomic::{AtomicU64, Ordering};

use kobject::Result;

/// Calls in one direction, and the bytes that they moved.
#[derive(Default)]
pub(crate) struct Transfers {
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl Transfers {
    /// Counts a call that was tried at a file, and gives its result. As on Linux (`vfs_read`), failed ones count as calls.
    pub(crate) fn count(&self, result: Result<u64>) -> Result<u64> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Ok(bytes) = result {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        result
    }

    /// Calls, and bytes.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.calls.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}
