//! Waiting for children: wait4(2), waitid(2).

flags! {
    /// Which children are waited for, and how.
    pub struct WaitFlags(u32) {
        WNOHANG = 1,
        WSTOPPED = 2,
        WEXITED = 4,
        WCONTINUED = 8,
        WNOWAIT = 0x100_0000,
        __WNOTHREAD = 0x2000_0000,
        __WALL = 0x4000_0000,
        __WCLONE = 0x8000_0000,
    }
}

numbers! {
    /// What the number of waitid(2) names.
    pub struct WaitTarget(u32) {
        P_ALL = 0,
        P_PID = 1,
        P_PGID = 2,
        P_PIDFD = 3,
    }
}
