//! Finds the syscall instructions of an ELF file and decides how each is replaced.
