//! Signals: numbers, sets, information, and the action that a process takes on each.
//!
//! [`pending`] keeps those that have been sent, [`send`] sends them, [`deliver`] hands them to the program.

pub(crate) mod deliver;
pub(crate) mod frame;
pub(crate) mod from_host;
pub(crate) mod pending;
pub(crate) mod send;

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signal(u8);

impl Signal {
    pub(crate) const ILL: Self = Self(4);
    pub(crate) const TRAP: Self = Self(5);
    pub(crate) const BUS: Self = Self(7);
    pub(crate) const FPE: Self = Self(8);
    pub(crate) const KILL: Self = Self(9);
    pub(crate) const SEGV: Self = Self(11);
    pub(crate) const PIPE: Self = Self(13);
    pub(crate) const ALRM: Self = Self(14);
    pub(crate) const CONT: Self = Self(18);
    pub(crate) const XFSZ: Self = Self(25);
    pub(crate) const VTALRM: Self = Self(26);
    pub(crate) const PROF: Self = Self(27);

    /// How many there are.
    pub(crate) const COUNT: usize = 64;

    /// The signal with this number.
    pub(crate) fn from_raw(raw: u64) -> Option<Self> {
        (1..=Self::COUNT as u64).contains(&raw).then_some(Self(raw as u8))
    }

    /// Its number.
    pub(crate) const fn raw(self) -> u8 {
        self.0
    }

    /// Its place in tables.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// Whether it is queued: sent twice, it arrives twice.
    pub(crate) const fn is_realtime(self) -> bool {
        self.0 >= 32
    }

    /// What happens when the program has not said (signal(7)).
    pub(crate) fn default_effect(self) -> Effect {
        match self.0 {
            17 | 23 | 28 => Effect::Ignore,
            18 => Effect::Continue,
            19..=22 => Effect::Stop,
            3..=8 | 11 | 24 | 25 | 31 => Effect::Core,
            _ => Effect::Terminate,
        }
    }
}

/// What a signal does by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Terminate,
    /// As Terminate; the status says that a core was dumped (none is).
    Core,
    Ignore,
    Stop,
    Continue,
}

/// A set of signals, as `sigset_t` has it: bit `n - 1` is signal `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignalSet(pub(crate) u64);

impl SignalSet {
    /// SIGKILL and SIGSTOP cannot be blocked, caught or ignored.
    pub(crate) const UNSTOPPABLE: Self = Self(1 << 8 | 1 << 18);

    pub(crate) const fn of(signal: Signal) -> Self {
        Self(1 << signal.index())
    }

    pub(crate) const fn contains(self, signal: Signal) -> bool {
        self.0 & Self::of(signal).0 != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest signal of the set.
    pub(crate) fn first(self) -> Option<Signal> {
        Signal::from_raw(u64::from(self.0.trailing_zeros()) + 1)
    }
}

/// `siginfo_t`: 128 bytes; the fields behind the first three depend on how the signal came about.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct SignalInfo {
    pub(crate) signal: i32,
    pub(crate) errno: i32,
    pub(crate) code: i32,
    _pad: u32,
    pub(crate) fields: [u64; 14],
}

const _: () = assert!(size_of::<SignalInfo>() == 128);

/// si_code values (sigaction(2)).
pub(crate) mod code {
    pub(crate) const USER: i32 = 0;
    pub(crate) const KERNEL: i32 = 0x80;
    pub(crate) const TIMER: i32 = -2;
    pub(crate) const TKILL: i32 = -6;
    pub(crate) const SEGV_MAPERR: i32 = 1;
    pub(crate) const SEGV_ACCERR: i32 = 2;
    pub(crate) const BUS_ADRALN: i32 = 1;
    pub(crate) const BUS_ADRERR: i32 = 2;
    pub(crate) const ILL_ILLOPN: i32 = 2;
    pub(crate) const FPE_INTDIV: i32 = 1;
    pub(crate) const FPE_FLTDIV: i32 = 3;
    pub(crate) const FPE_FLTOVF: i32 = 4;
    pub(crate) const FPE_FLTUND: i32 = 5;
    pub(crate) const FPE_FLTRES: i32 = 6;
    pub(crate) const FPE_FLTINV: i32 = 7;
    pub(crate) const TRAP_TRACE: i32 = 2;
}

impl SignalInfo {
    pub(crate) fn new(signal: Signal, code: i32) -> Self {
        Self {
            signal: signal.raw().into(),
            errno: 0,
            code,
            _pad: 0,
            fields: [0; 14],
        }
    }

    /// Sent by a process (kill, tgkill).
    pub(crate) fn sent(signal: Signal, code: i32, pid: u32, uid: u32) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = u64::from(pid) | u64::from(uid) << 32;
        info
    }

    /// Caused by an instruction that touched or lay at `address`.
    pub(crate) fn fault(signal: Signal, code: i32, address: u64) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = address;
        info
    }

    /// A timer of timer_create has expired.
    pub(crate) fn timer(signal: Signal, timer: u32, overrun: u32, value: u64) -> Self {
        let mut info = Self::new(signal, code::TIMER);
        info.fields[0] = u64::from(timer) | u64::from(overrun) << 32;
        info.fields[1] = value;
        info
    }

    /// Whether it is [`SignalInfo::timer`] of this timer.
    pub(crate) fn is_of_timer(&self, timer: u32) -> bool {
        self.code == code::TIMER && self.fields[0] as u32 == timer
    }

    pub(crate) fn signal(&self) -> Option<Signal> {
        Signal::from_raw(self.signal as u64)
    }
}

bitflags::bitflags! {
    /// sa_flags (sigaction(2)).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct ActionFlags: u64 {
        const NO_CHILD_STOP = 1;
        const NO_CHILD_WAIT = 2;
        const INFO = 4;
        const RESTORER = 0x0400_0000;
        const ON_STACK = 0x0800_0000;
        const RESTART = 0x1000_0000;
        const NO_DEFER = 0x4000_0000;
        const RESET_HANDLER = 0x8000_0000;
    }
}

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    /// SIG_DFL (0), SIG_IGN (1) or the handler's address.
    pub(crate) handler: u64,
    pub(crate) flags: ActionFlags,
    pub(crate) restorer: u64,
    pub(crate) mask: SignalSet,
}

impl Action {
    pub(crate) const DEFAULT: Self = Self {
        handler: 0,
        flags: ActionFlags::empty(),
        restorer: 0,
        mask: SignalSet(0),
    };
    pub(crate) const IGNORE: u64 = 1;

    /// Whether the signal has no effect at all.
    pub(crate) fn ignores(&self, signal: Signal) -> bool {
        self.handler == Self::IGNORE
            || (self.handler == 0 && matches!(signal.default_effect(), Effect::Ignore | Effect::Continue))
    }
}

/// The actions of a process, by signal.
pub(crate) struct Actions([Action; Signal::COUNT]);

impl Actions {
    pub(crate) const fn new() -> Self {
        Self([Action::DEFAULT; Signal::COUNT])
    }

    pub(crate) fn of(&self, signal: Signal) -> Action {
        self.0.get(signal.index()).copied().unwrap_or(Action::DEFAULT)
    }

    pub(crate) fn set(&mut self, signal: Signal, action: Action) {
        if let Some(place) = self.0.get_mut(signal.index()) {
            *place = action;
        }
    }

    /// As exec leaves them: what was caught is as at first, what was ignored stays so.
    pub(crate) fn reset_for_exec(&mut self) {
        for action in &mut self.0 {
            if action.handler > Action::IGNORE {
                *action = Action::DEFAULT;
            }
        }
    }
}

/// The alternate stack of a thread (sigaltstack(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlternateStack {
    pub(crate) base: u64,
    pub(crate) size: u64,
    /// SS_AUTODISARM was asked for.
    pub(crate) disarm: bool,
}

impl AlternateStack {
    pub(crate) const NONE: Self = Self {
        base: 0,
        size: 0,
        disarm: false,
    };

    pub(crate) fn contains(&self, address: u64) -> bool {
        self.size != 0 && address > self.base && address - self.base <= self.size
    }
}
