//! Scheduling and barriers: sched(7), getpriority(2), getrusage(2), membarrier(2).

numbers! {
    /// A scheduling policy.
    pub struct SchedulingPolicy(i32) {
        SCHED_NORMAL = 0,
        SCHED_FIFO = 1,
        SCHED_RR = 2,
        SCHED_BATCH = 3,
        SCHED_IDLE = 5,
        SCHED_DEADLINE = 6,
    }
}

numbers! {
    /// Whom `getpriority` and `setpriority` are about.
    pub struct PriorityTarget(i32) {
        PRIO_PROCESS = 0,
        PRIO_PGRP = 1,
        PRIO_USER = 2,
    }
}

numbers! {
    /// Whom `ioprio_get` and `ioprio_set` are about.
    pub struct IoPriorityTarget(i32) {
        IOPRIO_WHO_PROCESS = 1,
        IOPRIO_WHO_PGRP = 2,
        IOPRIO_WHO_USER = 3,
    }
}

numbers! {
    /// The class of a priority of input and output.
    pub struct IoPriorityClass(u32) {
        IOPRIO_CLASS_NONE = 0,
        IOPRIO_CLASS_RT = 1,
        IOPRIO_CLASS_BE = 2,
        IOPRIO_CLASS_IDLE = 3,
    }
}

numbers! {
    /// Whom `getrusage` is about.
    pub struct UsageTarget(i32) {
        RUSAGE_SELF = 0,
        RUSAGE_THREAD = 1,
        RUSAGE_CHILDREN = -1,
    }
}

flags! {
    /// What `membarrier` does: one at a time. As a set, what it can do or was registered for; `MEMBARRIER_CMD_QUERY` is none.
    pub struct MembarrierCommand(u32) {
        MEMBARRIER_CMD_GLOBAL = 1 << 0,
        MEMBARRIER_CMD_GLOBAL_EXPEDITED = 1 << 1,
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 1 << 2,
        MEMBARRIER_CMD_PRIVATE_EXPEDITED = 1 << 3,
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 1 << 4,
        MEMBARRIER_CMD_GET_REGISTRATIONS = 1 << 9,
    }
}

flags! {
    /// How the attributes of `sched_setattr` are meant.
    pub struct SchedulingFlags(u64) {
        SCHED_FLAG_RESET_ON_FORK = 0x01,
        SCHED_FLAG_RECLAIM = 0x02,
        SCHED_FLAG_DL_OVERRUN = 0x04,
        SCHED_FLAG_KEEP_POLICY = 0x08,
        SCHED_FLAG_KEEP_PARAMS = 0x10,
        SCHED_FLAG_UTIL_CLAMP_MIN = 0x20,
        SCHED_FLAG_UTIL_CLAMP_MAX = 0x40,
    }
}

constants! {
    /// Bytes of the first `struct sched_attr`.
    SCHED_ATTR_SIZE_VER0: usize = 48;
    /// Bytes of the one with bounds of utilisation.
    SCHED_ATTR_SIZE_VER1: usize = 56;
    /// Beside a [`SchedulingPolicy`]: children do not inherit it.
    SCHED_RESET_ON_FORK: i32 = 0x4000_0000;
    /// An [`IoPriorityClass`] stands above this many bits, which are a level and a hint.
    IOPRIO_CLASS_SHIFT: u32 = 13;
    /// Levels of a class (`IOPRIO_NR_LEVELS`).
    IOPRIO_LEVELS: u32 = 8;
    /// The lowest nice value.
    MIN_NICE: i32 = -20;
    /// The highest nice value.
    MAX_NICE: i32 = 19;
    /// Flag of a process in /proc/PID/stat: its addresses are random (the kernel's own name).
    PF_RANDOMIZE: u32 = 0x40_0000;
    /// The highest priority of `SCHED_FIFO` and `SCHED_RR`.
    MAX_RT_PRIO: u64 = 99;
}
