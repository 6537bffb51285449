//! What was measured with the enclave besides its code: the configuration.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use enclave_layout::{CONFIG_START, MAX_CONFIG};

/// What the length word says, once it has been read.
static LENGTH: AtomicU64 = AtomicU64::new(0);

/// Whether the configuration allows debugging, once it has been read.
static ALLOWS_DEBUGGING: AtomicBool = AtomicBool::new(false);

/// Tells that the measured configuration allows the host to debug.
pub fn allow_debugging() {
    ALLOWS_DEBUGGING.store(true, Ordering::Relaxed);
}

/// Whether it does; not before it has been read.
pub fn allows_debugging() -> bool {
    ALLOWS_DEBUGGING.load(Ordering::Relaxed)
}

/// Bytes of the configuration, length word included, as far as they have been looked at. Reads no page of it: the exception handler
/// asks, perhaps because the host has taken one away.
pub(crate) fn known_len() -> u64 {
    LENGTH.load(Ordering::Relaxed) + size_of::<u64>() as u64
}

/// The configuration's bytes. They lie in measured pages that nobody can write.
///
/// # Panics
/// If the length word is impossible: the enclave was laid out wrongly.
pub fn configuration() -> &'static [u8] {
    let start = CONFIG_START as *const u64;
    // SAFETY: the first configuration page is part of every enclave's layout, measured and read-only.
    let len = unsafe { start.read() };
    assert!(len <= MAX_CONFIG - 8, "the configuration's length");
    LENGTH.store(len, Ordering::Relaxed);
    // SAFETY: as many bytes follow the length word, in pages that were laid out for them and never change.
    unsafe { core::slice::from_raw_parts(start.add(1).cast(), len as usize) }
}
