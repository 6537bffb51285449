//! New threads and processes: clone(2).

flags! {
    /// What a new thread or process shares with its maker.
    pub struct CloneFlags(u64) {
        CLONE_VM = 0x100,
        CLONE_FS = 0x200,
        CLONE_FILES = 0x400,
        CLONE_SIGHAND = 0x800,
        CLONE_PIDFD = 0x1000,
        CLONE_VFORK = 0x4000,
        CLONE_PARENT = 0x8000,
        CLONE_THREAD = 0x1_0000,
        CLONE_SYSVSEM = 0x4_0000,
        CLONE_SETTLS = 0x8_0000,
        CLONE_PARENT_SETTID = 0x10_0000,
        CLONE_CHILD_CLEARTID = 0x20_0000,
        CLONE_DETACHED = 0x40_0000,
        CLONE_CHILD_SETTID = 0x100_0000,
    }
}

constants! {
    /// The bits of the flags of `clone` that are the signal to send at the end.
    CSIGNAL: u64 = 0xff;
    /// Bytes of the first version of `struct clone_args`.
    CLONE_ARGS_SIZE_VER0: usize = 64;
}
