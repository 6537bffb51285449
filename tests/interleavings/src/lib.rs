//! Every interleaving of the smallest parts of the trusted base that threads share. The tests include a file as it is, and loom's
//! atomics stand in for the processor's: it runs all orders of two or three threads, with the reordering that the memory model allows.
#![forbid(unsafe_code)]
