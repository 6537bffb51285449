//! The host boundary: every call from the enclave to the host, typed and checked.
