//! The enclave binary: it links the LibOS at its fixed base and hands control to it.
