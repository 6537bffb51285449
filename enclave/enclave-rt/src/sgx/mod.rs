//! What is SGX's own: how an enclave is entered and left, how exceptions reach it, how it gets pages, reports and keys.
//!
//! Another kind of enclave would have a folder like this one beside it. The rest of the runtime knows these modules only by what they
//! offer:
//!
//! - [`entry`]: the assembly behind EENTER, and the ways to the host (EEXIT) and to the program;
//! - `exception`: the first stage of an exception, which reads the SSA frame;
//! - [`memory`]: pages of programs and of the heap, which the enclave accepts (EACCEPT, EMODPE);
//! - [`own_memory`]: the measured pages of the LibOS itself, and its heap;
//! - [`attestation`]: reports (EREPORT) and keys (EGETKEY).

pub mod attestation;
pub mod entry;
mod exception;
pub mod memory;
pub mod own_memory;
