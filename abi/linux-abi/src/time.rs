//! Clocks and timers: clock_gettime(2), setitimer(2), timerfd_create(2).

numbers! {
    /// A clock. Negative numbers are the CPU-time clocks of processes and threads.
    pub struct ClockId(i32) {
        CLOCK_REALTIME = 0,
        CLOCK_MONOTONIC = 1,
        CLOCK_PROCESS_CPUTIME_ID = 2,
        CLOCK_THREAD_CPUTIME_ID = 3,
        CLOCK_MONOTONIC_RAW = 4,
        CLOCK_REALTIME_COARSE = 5,
        CLOCK_MONOTONIC_COARSE = 6,
        CLOCK_BOOTTIME = 7,
        CLOCK_REALTIME_ALARM = 8,
        CLOCK_BOOTTIME_ALARM = 9,
        CLOCK_TAI = 11,
    }
}

impl ClockId {
    /// Whose clock a negative number is: a process or a thread, 0 for the caller (`CPUCLOCK_PID` of the kernel).
    pub const fn owner(self) -> u32 {
        !(self.0 >> 3) as u32
    }

    /// Whether a negative number is the clock of a thread and not of a process (`CPUCLOCK_PERTHREAD` of the kernel).
    pub const fn is_of_thread(self) -> bool {
        self.0 & 4 != 0
    }

    /// Whether a clock is that of an open device (`CLOCKFD` of the kernel).
    pub const fn is_of_descriptor(self) -> bool {
        self.0 & 3 == 3
    }
}

numbers! {
    /// A timer of `setitimer`.
    pub struct IntervalTimer(i32) {
        ITIMER_REAL = 0,
        ITIMER_VIRTUAL = 1,
        ITIMER_PROF = 2,
    }
}

flags! {
    /// The flags of `timer_settime` and `clock_nanosleep`.
    pub struct TimerFlags(u32) {
        TIMER_ABSTIME = 1,
    }
}

flags! {
    /// The flags of `timerfd_settime`.
    pub struct TimerFdFlags(u32) {
        TFD_TIMER_ABSTIME = 1,
        TFD_TIMER_CANCEL_ON_SET = 2,
    }
}

constants! {
    /// Clock ticks of a second, as programs count them.
    USER_HZ: u64 = 100;
}
