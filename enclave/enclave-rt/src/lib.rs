//! The enclave's runtime: entry, exit, exceptions, untrusted memory and locks.
