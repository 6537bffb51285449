//! Lays out, measures and signs an enclave: SGXS and SIGSTRUCT.
