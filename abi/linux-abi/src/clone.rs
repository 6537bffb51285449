//! New threads and processes: clone(2).

flags! {
    /// What a new thread or process shares with its maker.
    pub struct CloneFlags(u64) {
        CLONE_VM = 0x100,
        CLONE_FS = 0x200,
        CLONE_FILES = 0x400,
        CLONE_SIGHAND = 0x800,
        CLONE_NEWTIME = 0x80,
        CLONE_PIDFD = 0x1000,
        CLONE_PTRACE = 0x2000,
        CLONE_VFORK = 0x4000,
        CLONE_PARENT = 0x8000,
        CLONE_THREAD = 0x1_0000,
        CLONE_NEWNS = 0x2_0000,
        CLONE_SYSVSEM = 0x4_0000,
        CLONE_SETTLS = 0x8_0000,
        CLONE_PARENT_SETTID = 0x10_0000,
        CLONE_CHILD_CLEARTID = 0x20_0000,
        CLONE_DETACHED = 0x40_0000,
        CLONE_UNTRACED = 0x80_0000,
        CLONE_CHILD_SETTID = 0x100_0000,
        CLONE_NEWCGROUP = 0x200_0000,
        CLONE_NEWUTS = 0x400_0000,
        CLONE_NEWIPC = 0x800_0000,
        CLONE_NEWUSER = 0x1000_0000,
        CLONE_NEWPID = 0x2000_0000,
        CLONE_NEWNET = 0x4000_0000,
        CLONE_IO = 0x8000_0000,
        CLONE_CLEAR_SIGHAND = 0x1_0000_0000,
    }
}

impl CloneFlags {
    /// What makes namespaces.
    pub const NAMESPACES: Self = Self::CLONE_NEWTIME
        .union(Self::CLONE_NEWNS)
        .union(Self::CLONE_NEWCGROUP)
        .union(Self::CLONE_NEWUTS)
        .union(Self::CLONE_NEWIPC)
        .union(Self::CLONE_NEWUSER)
        .union(Self::CLONE_NEWPID)
        .union(Self::CLONE_NEWNET);
}

constants! {
    /// The bits of the flags of `clone` that are the signal to send at the end.
    CSIGNAL: u64 = 0xff;
    /// Bytes of the first version of `struct clone_args`.
    CLONE_ARGS_SIZE_VER0: usize = 64;
}
