//! Whether the processor has SHA extensions, and the one call of what needs them.

use crate::{Chunk, State, sha_ni};

// Where the build says that the extensions are there, as the enclave's does, this is a constant and nothing is asked.
cpufeatures::new!(sha, "sha", "ssse3", "sse4.1");

/// Whether [`compress`] may be called.
pub(crate) fn is_accelerated() -> bool {
    sha::get()
}

/// Takes chunk after chunk of each message into its state: `chunks` gives the next one of every message.
///
/// # Panics
/// Without SHA extensions.
#[expect(
    unsafe_code,
    reason = "Rust does not take the build's target features as a proof"
)]
pub(crate) fn compress<'a, const N: usize>(
    states: &mut [State; N],
    chunks: impl Iterator<Item = [&'a Chunk; N]>,
) {
    assert!(is_accelerated());
    // SAFETY: the processor has the extensions that the function names.
    unsafe { sha_ni::compress(states, chunks) };
}
