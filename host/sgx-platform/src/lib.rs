//! One trait over an enclave's life; the Linux driver and a software emulator behind it.
