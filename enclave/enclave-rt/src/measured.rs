//! What was measured with the enclave besides its code: the configuration.

use enclave_layout::{CONFIG_START, MAX_CONFIG};

/// The configuration's bytes. They lie in measured pages that nobody can write.
///
/// # Panics
/// If the length word is impossible: the enclave was laid out wrongly.
pub fn configuration() -> &'static [u8] {
    let start = CONFIG_START as *const u64;
    // SAFETY: the first configuration page is part of every enclave's layout, measured and read-only.
    let len = unsafe { start.read() };
    assert!(len <= MAX_CONFIG - 8, "the configuration's length");
    // SAFETY: as many bytes follow the length word, in pages that were laid out for them and never change.
    unsafe { core::slice::from_raw_parts(start.add(1).cast(), len as usize) }
}
