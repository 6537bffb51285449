//! Signals: signal(7), sigaction(2), sigaltstack(2), sigevent(3type).

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $value:literal,)*) => {
        impl Signal {
            $(#[doc = concat!("`", stringify!($name), "`.")] pub const $name: Self = Self($value);)*

            /// Names and values.
            pub const ALL: &[(&str, i128)] = &[$((stringify!($name), $value),)*];
        }
    };
}

signals! {
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGILL = 4,
    SIGTRAP = 5,
    SIGABRT = 6,
    SIGBUS = 7,
    SIGFPE = 8,
    SIGKILL = 9,
    SIGUSR1 = 10,
    SIGSEGV = 11,
    SIGUSR2 = 12,
    SIGPIPE = 13,
    SIGALRM = 14,
    SIGTERM = 15,
    SIGSTKFLT = 16,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGXCPU = 24,
    SIGXFSZ = 25,
    SIGVTALRM = 26,
    SIGPROF = 27,
    SIGWINCH = 28,
    SIGIO = 29,
    SIGPWR = 30,
    SIGSYS = 31,
    SIGRTMIN = 32,
}

impl Signal {
    /// How many there are (`_NSIG`).
    pub const COUNT: usize = 64;

    /// The signal with this number, if there is one.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw >= 1 && raw <= Self::COUNT as u64 {
            Some(Self(raw as u8))
        } else {
            None
        }
    }

    /// Its number.
    pub const fn raw(self) -> u8 {
        self.0
    }

    /// Its place in tables, from 0.
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// Whether it is a real-time signal: sent twice, it arrives twice.
    pub const fn is_realtime(self) -> bool {
        self.0 >= Self::SIGRTMIN.0
    }
}

/// A set of signals, as `sigset_t` has it: bit `n - 1` is signal `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// The signals that cannot be blocked, caught or ignored.
    pub const UNSTOPPABLE: Self = Self::of(Signal::SIGKILL).with(Self::of(Signal::SIGSTOP));

    /// The set of one.
    pub const fn of(signal: Signal) -> Self {
        Self(1 << signal.index())
    }

    /// Whether a signal is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & Self::of(signal).0 != 0
    }

    /// The signals of either.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The signals that are not in the other.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest signal of the set.
    pub const fn first(self) -> Option<Signal> {
        Signal::from_raw(self.0.trailing_zeros() as u64 + 1)
    }
}

numbers! {
    /// Why a signal was sent (si_code). Codes below `SI_KERNEL` and above zero mean something for one signal only.
    pub struct SignalCode(i32) {
        SI_USER = 0,
        SI_KERNEL = 0x80,
        SI_TIMER = -2,
        SI_MESGQ = -3,
        SI_TKILL = -6,
        ILL_ILLOPN = 2,
        FPE_INTDIV = 1,
        FPE_FLTDIV = 3,
        FPE_FLTOVF = 4,
        FPE_FLTUND = 5,
        FPE_FLTRES = 6,
        FPE_FLTINV = 7,
        SEGV_MAPERR = 1,
        SEGV_ACCERR = 2,
        BUS_ADRALN = 1,
        BUS_ADRERR = 2,
        TRAP_TRACE = 2,
        POLL_IN = 1,
        POLL_OUT = 2,
        POLL_MSG = 3,
        POLL_HUP = 6,
        CLD_EXITED = 1,
        CLD_KILLED = 2,
        CLD_DUMPED = 3,
        CLD_STOPPED = 5,
        CLD_CONTINUED = 6,
    }
}

flags! {
    /// How a signal's handler runs (sa_flags).
    pub struct ActionFlags(u64) {
        SA_NOCLDSTOP = 1,
        SA_NOCLDWAIT = 2,
        SA_SIGINFO = 4,
        SA_RESTORER = 0x0400_0000,
        SA_ONSTACK = 0x0800_0000,
        SA_RESTART = 0x1000_0000,
        SA_NODEFER = 0x4000_0000,
        SA_RESETHAND = 0x8000_0000,
    }
}

numbers! {
    /// What `rt_sigprocmask` does with the set that it is given.
    pub struct MaskOperation(i32) {
        SIG_BLOCK = 0,
        SIG_UNBLOCK = 1,
        SIG_SETMASK = 2,
    }
}

flags! {
    /// What is known of an alternate stack, and how it is used (ss_flags).
    pub struct StackFlags(u32) {
        SS_ONSTACK = 1,
        SS_DISABLE = 2,
        SS_AUTODISARM = 1 << 31,
    }
}

numbers! {
    /// How a timer tells of its end (sigev_notify).
    pub struct SignalEvent(u32) {
        SIGEV_SIGNAL = 0,
        SIGEV_NONE = 1,
        SIGEV_THREAD = 2,
        SIGEV_THREAD_ID = 4,
    }
}

constants! {
    SIG_DFL: u64 = 0;
    SIG_IGN: u64 = 1;
    /// What marks the extended state in a signal frame, at its beginning and behind its end.
    FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
    FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
    /// uc_flags: the frame has the extended state.
    UC_FP_XSTATE: u64 = 0x1;
    /// uc_flags: the stack segment is saved.
    UC_SIGCONTEXT_SS: u64 = 0x2;
    /// uc_flags: the stack segment is restored as it was saved.
    UC_STRICT_RESTORE_SS: u64 = 0x4;
}
