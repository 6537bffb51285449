//! The call-site map: which syscall instructions of an ELF file become jumps, and how.
