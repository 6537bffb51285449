//! Signals: information, default effects, and the action that a process takes on each.
//!
//! [`pending`] keeps those that have been sent, [`send`] sends them, [`deliver`] hands them to the program.

pub(crate) mod async_notice;
pub(crate) mod deliver;
pub(crate) mod frame;
pub(crate) mod from_host;
pub(crate) mod pending;
pub(crate) mod send;

use linux_abi::signal::{SIG_DFL, SIG_IGN};
use linux_abi::{ActionFlags, Signal, SignalCode, SignalSet};
use zerocopy::{FromBytes, Immutable, IntoBytes};

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

impl Effect {
    /// What happens when the program has not said (signal(7)).
    pub(crate) fn of(signal: Signal) -> Self {
        match signal {
            Signal::SIGCHLD | Signal::SIGURG | Signal::SIGWINCH => Self::Ignore,
            Signal::SIGCONT => Self::Continue,
            Signal::SIGSTOP | Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU => Self::Stop,
            Signal::SIGQUIT
            | Signal::SIGILL
            | Signal::SIGTRAP
            | Signal::SIGABRT
            | Signal::SIGBUS
            | Signal::SIGFPE
            | Signal::SIGSEGV
            | Signal::SIGXCPU
            | Signal::SIGXFSZ
            | Signal::SIGSYS => Self::Core,
            _ => Self::Terminate,
        }
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

impl SignalInfo {
    pub(crate) fn new(signal: Signal, code: SignalCode) -> Self {
        Self {
            signal: signal.raw().into(),
            errno: 0,
            code: code.0,
            _pad: 0,
            fields: [0; 14],
        }
    }

    /// Sent by a process (kill, tgkill).
    pub(crate) fn sent(signal: Signal, code: SignalCode, pid: u32, uid: u32) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = u64::from(pid) | u64::from(uid) << 32;
        info
    }

    /// Caused by an instruction that touched or lay at `address`.
    pub(crate) fn fault(signal: Signal, code: SignalCode, address: u64) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = address;
        info
    }

    /// A child has ended, or stopped, or goes on.
    pub(crate) fn child(signal: Signal, code: SignalCode, pid: u32, uid: u32, status: u32) -> Self {
        let mut info = Self::sent(signal, code, pid, uid);
        info.fields[1] = status.into();
        info
    }

    /// A timer of timer_create has expired.
    pub(crate) fn timer(signal: Signal, timer: u32, overrun: u32, value: u64) -> Self {
        let mut info = Self::new(signal, SignalCode::SI_TIMER);
        info.fields[0] = u64::from(timer) | u64::from(overrun) << 32;
        info.fields[1] = value;
        info
    }

    /// Whether it is [`SignalInfo::timer`] of this timer.
    pub(crate) fn is_of_timer(&self, timer: u32) -> bool {
        self.code == SignalCode::SI_TIMER.0 && self.fields[0] as u32 == timer
    }

    pub(crate) fn signal(&self) -> Option<Signal> {
        Signal::from_raw(self.signal as u64)
    }
}

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    /// SIG_DFL, SIG_IGN or the handler's address.
    pub(crate) handler: u64,
    pub(crate) flags: ActionFlags,
    pub(crate) restorer: u64,
    pub(crate) mask: SignalSet,
}

impl Action {
    pub(crate) const DEFAULT: Self = Self {
        handler: SIG_DFL,
        flags: ActionFlags::empty(),
        restorer: 0,
        mask: SignalSet(0),
    };

    /// Whether the signal has no effect at all.
    pub(crate) fn ignores(&self, signal: Signal) -> bool {
        self.handler == SIG_IGN
            || (self.handler == SIG_DFL && matches!(Effect::of(signal), Effect::Ignore | Effect::Continue))
    }
}

/// The actions of a process, by signal.
#[derive(Clone)]
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
            if action.handler > SIG_IGN {
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
