//! Limits of a process: getrlimit(2).

numbers! {
    /// What is limited.
    pub struct Resource(u32) {
        RLIMIT_CPU = 0,
        RLIMIT_FSIZE = 1,
        RLIMIT_DATA = 2,
        RLIMIT_STACK = 3,
        RLIMIT_CORE = 4,
        RLIMIT_RSS = 5,
        RLIMIT_NPROC = 6,
        RLIMIT_NOFILE = 7,
        RLIMIT_MEMLOCK = 8,
        RLIMIT_AS = 9,
        RLIMIT_LOCKS = 10,
        RLIMIT_SIGPENDING = 11,
        RLIMIT_MSGQUEUE = 12,
        RLIMIT_NICE = 13,
        RLIMIT_RTPRIO = 14,
        RLIMIT_RTTIME = 15,
    }
}

impl Resource {
    /// How many there are (`RLIM_NLIMITS`).
    pub const COUNT: usize = 16;

    /// Its place in tables.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

constants! {
    /// `RLIM64_INFINITY` of the kernel.
    RLIM_INFINITY: u64 = u64::MAX;
}
