//! The system as a whole, and small objects: uname(2), getrandom(2), eventfd(2), kcmp(2).

flags! {
    /// How `getrandom` gives.
    pub struct RandomFlags(u32) {
        GRND_NONBLOCK = 0x1,
        GRND_RANDOM = 0x2,
        GRND_INSECURE = 0x4,
    }
}

flags! {
    /// What an eventfd is, beyond `O_NONBLOCK` and `O_CLOEXEC`.
    pub struct EventFdFlags(u32) {
        EFD_SEMAPHORE = 1,
    }
}

numbers! {
    /// What of two processes `kcmp` compares.
    pub struct CompareType(i32) {
        KCMP_FILE = 0,
        KCMP_VM = 1,
        KCMP_FILES = 2,
        KCMP_FS = 3,
        KCMP_SIGHAND = 4,
        KCMP_IO = 5,
        KCMP_SYSVSEM = 6,
        KCMP_EPOLL_TFD = 7,
    }
}

constants! {
    /// Bytes of the fields of `struct utsname`, without the NUL behind them.
    __NEW_UTS_LEN: usize = 64;
    /// Most groups of a process.
    NGROUPS_MAX: usize = 65536;
}
