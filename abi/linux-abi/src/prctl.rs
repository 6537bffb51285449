//! What a process sets about itself: prctl(2), arch_prctl(2), personality(2).

numbers! {
    /// What `prctl` does.
    pub struct PrctlOption(u32) {
        PR_SET_PDEATHSIG = 1,
        PR_GET_PDEATHSIG = 2,
        PR_GET_DUMPABLE = 3,
        PR_SET_DUMPABLE = 4,
        PR_GET_KEEPCAPS = 7,
        PR_SET_KEEPCAPS = 8,
        PR_SET_NAME = 15,
        PR_GET_NAME = 16,
        PR_GET_SECCOMP = 21,
        PR_CAPBSET_READ = 23,
        PR_CAPBSET_DROP = 24,
        PR_GET_SECUREBITS = 27,
        PR_SET_SECUREBITS = 28,
        PR_GET_TIMING = 13,
        PR_SET_TIMING = 14,
        PR_GET_TSC = 25,
        PR_SET_TSC = 26,
        PR_SET_TIMERSLACK = 29,
        PR_GET_TIMERSLACK = 30,
        PR_SET_CHILD_SUBREAPER = 36,
        PR_GET_CHILD_SUBREAPER = 37,
        PR_SET_NO_NEW_PRIVS = 38,
        PR_GET_NO_NEW_PRIVS = 39,
        PR_SET_THP_DISABLE = 41,
        PR_GET_THP_DISABLE = 42,
        PR_CAP_AMBIENT = 47,
        PR_SET_VMA = 0x5356_4d41,
    }
}

numbers! {
    /// What `PR_CAP_AMBIENT` does.
    pub struct AmbientCommand(u64) {
        PR_CAP_AMBIENT_IS_SET = 1,
        PR_CAP_AMBIENT_RAISE = 2,
        PR_CAP_AMBIENT_LOWER = 3,
        PR_CAP_AMBIENT_CLEAR_ALL = 4,
    }
}

numbers! {
    /// What `arch_prctl` does.
    pub struct ArchPrctlOption(i32) {
        ARCH_SET_GS = 0x1001,
        ARCH_SET_FS = 0x1002,
        ARCH_GET_FS = 0x1003,
        ARCH_GET_GS = 0x1004,
        ARCH_GET_CPUID = 0x1011,
        ARCH_SET_CPUID = 0x1012,
    }
}

constants! {
    /// The time stamp counter can be read.
    PR_TSC_ENABLE: u32 = 1;
    /// Bytes of a thread's name, with the NUL behind it.
    TASK_COMM_LEN: usize = 16;
    /// `personality` with this changes nothing (personality(2); it has no name).
    PERSONALITY_QUERY: u32 = 0xffff_ffff;
}
