//! The queue of signals that have been sent and not yet delivered.

use alloc::collections::VecDeque;

use linux_abi::{Signal, SignalCode, SignalSet};

use super::SignalInfo;
use crate::time::interval::MAX_OVERRUN;

/// Most queued signals of one process or thread (RLIMIT_SIGPENDING is of this order on Linux).
const MAX_QUEUED: usize = 4096;

/// The pending signals of a thread, or of a process as a whole.
pub(crate) struct Pending {
    set: SignalSet,
    queue: VecDeque<SignalInfo>,
}

impl Pending {
    pub(crate) const fn new() -> Self {
        Self {
            set: SignalSet(0),
            queue: VecDeque::new(),
        }
    }

    /// Which are pending.
    pub(crate) fn set(&self) -> SignalSet {
        self.set
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds one; false if a realtime signal finds the queue full. A standard signal that is pending stays as it is, but for those of
    /// timers: each timer has one of its own.
    pub(crate) fn add(&mut self, signal: Signal, info: SignalInfo) -> bool {
        if !signal.is_realtime() && self.set.contains(signal) && info.code != SignalCode::SI_TIMER.0 {
            return true;
        }
        if self.queue.len() >= MAX_QUEUED {
            return false;
        }
        self.set = self.set.with(SignalSet::of(signal));
        self.queue.push_back(info);
        true
    }

    /// Takes the first of the lowest-numbered signal among `wanted`: faults first, as Linux does.
    pub(crate) fn take(&mut self, wanted: SignalSet) -> Option<SignalInfo> {
        const SYNCHRONOUS: SignalSet = SignalSet::of(Signal::SIGSEGV)
            .with(SignalSet::of(Signal::SIGBUS))
            .with(SignalSet::of(Signal::SIGILL))
            .with(SignalSet::of(Signal::SIGTRAP))
            .with(SignalSet::of(Signal::SIGFPE))
            .with(SignalSet::of(Signal::SIGSYS));
        let here = SignalSet(self.set.0 & wanted.0);
        let urgent = SignalSet(here.0 & SYNCHRONOUS.0);
        let signal = urgent.first().or_else(|| here.first())?;
        let number = i32::from(signal.raw());
        let at = self.queue.iter().position(|info| info.signal == number)?;
        let info = self.queue.remove(at)?;
        if !self.queue.iter().any(|info| info.signal == number) {
            self.set = self.set.without(SignalSet::of(signal));
        }
        Some(info)
    }

    /// Adds to the overruns of a timer's signal that is pending still; gives how many they are now.
    pub(crate) fn overrun(&mut self, timer: u32, more: u32) -> Option<u32> {
        let info = self.queue.iter_mut().find(|info| info.is_of_timer(timer))?;
        let [number, overrun] = [info.fields[0] as u32, (info.fields[0] >> 32) as u32];
        let overrun = overrun.saturating_add(more).min(MAX_OVERRUN);
        info.fields[0] = u64::from(number) | u64::from(overrun) << 32;
        Some(overrun)
    }

    /// Forgets the signals of timers that were made (timer_create(2)).
    pub(crate) fn remove_of_timers(&mut self) {
        self.keep(|info| info.code != SignalCode::SI_TIMER.0);
    }

    /// Forgets the signal of a timer that is no more: the next one may have its number.
    pub(crate) fn remove_of_timer(&mut self, timer: u32) {
        self.keep(|info| !info.is_of_timer(timer));
    }

    fn keep(&mut self, stays: impl Fn(&SignalInfo) -> bool) {
        self.queue.retain(stays);
        let numbers = self
            .queue
            .iter()
            .filter_map(|info| u64::try_from(info.signal).ok());
        let left = numbers.filter_map(Signal::from_raw);
        self.set = left.fold(SignalSet(0), |set, signal| set.with(SignalSet::of(signal)));
    }

    /// Forgets a signal.
    pub(crate) fn remove(&mut self, signal: Signal) {
        self.queue.retain(|info| info.signal != i32::from(signal.raw()));
        self.set = self.set.without(SignalSet::of(signal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realtime_signals_queue_and_standard_ones_do_not() {
        let mut pending = Pending::new();
        let realtime = Signal::from_raw(40).unwrap();
        for value in 0..3 {
            let mut info = SignalInfo::new(realtime, SignalCode::SI_USER);
            info.fields[1] = value;
            assert!(pending.add(realtime, info));
            assert!(pending.add(
                Signal::SIGHUP,
                SignalInfo::new(Signal::SIGHUP, SignalCode::SI_USER)
            ));
        }
        let all = SignalSet(u64::MAX);
        assert_eq!(pending.take(all).unwrap().signal, 1);
        for value in 0..3 {
            assert_eq!(pending.take(all).unwrap().fields[1], value);
        }
        assert!(pending.take(all).is_none() && pending.set().is_empty());
    }

    #[test]
    fn a_timer_whose_signal_is_pending_only_counts() {
        let mut pending = Pending::new();
        assert_eq!(pending.overrun(7, 1), None);
        assert!(pending.add(
            Signal::SIGALRM,
            SignalInfo::new(Signal::SIGALRM, SignalCode::SI_USER)
        ));
        assert!(pending.add(Signal::SIGALRM, SignalInfo::timer(Signal::SIGALRM, 7, 0, 12)));
        assert_eq!(pending.overrun(7, 2), Some(2));
        assert_eq!(pending.overrun(7, 1), Some(3));
        let all = SignalSet(u64::MAX);
        assert_eq!(pending.take(all).unwrap().code, SignalCode::SI_USER.0);
        assert_eq!(pending.take(all).unwrap().fields[..2], [7 | 3 << 32, 12]);
        assert_eq!(pending.overrun(7, 1), None);
    }

    #[test]
    fn signals_of_timers_are_forgotten_alone() {
        let mut pending = Pending::new();
        pending.add(
            Signal::SIGUSR1,
            SignalInfo::new(Signal::SIGUSR1, SignalCode::SI_USER),
        );
        for signal in [Signal::SIGUSR1, Signal::SIGALRM] {
            pending.add(signal, SignalInfo::timer(signal, 7, 0, 12));
        }
        pending.remove_of_timers();
        let all = SignalSet(u64::MAX);
        assert_eq!(pending.set().0, SignalSet::of(Signal::SIGUSR1).0);
        assert_eq!(pending.take(all).unwrap().code, SignalCode::SI_USER.0);
        assert!(pending.take(all).is_none() && pending.set().is_empty());
    }

    #[test]
    fn faults_come_first() {
        let mut pending = Pending::new();
        pending.add(
            Signal::SIGHUP,
            SignalInfo::new(Signal::SIGHUP, SignalCode::SI_USER),
        );
        pending.add(
            Signal::SIGSEGV,
            SignalInfo::new(Signal::SIGSEGV, SignalCode::SI_KERNEL),
        );
        assert_eq!(pending.take(SignalSet(u64::MAX)).unwrap().signal, 11);
    }
}
