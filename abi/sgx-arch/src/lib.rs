//! The architectural structures of Intel SGX, as the SDM draws them.
