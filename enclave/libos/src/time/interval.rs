//! Timers that send signals: setitimer(2), alarm(2), timer_create(2).

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU32, Ordering};

use kobject::{Errno, Mutex, Result, clock};
use libos_io::{Schedule, Timer};
use linux_abi::limits::RLIM_INFINITY;
use linux_abi::{IntervalTimer, Resource, Signal, SignalCode};

use super::Clock;
use crate::process::{Process, Thread, table};
use crate::signal::{SignalInfo, send};

/// Whom an expired timer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// setitimer: the signal to the process.
    Plain(Signal),
    /// timer_create: the signal with the timer's value, to the process or to one thread.
    Queued {
        signal: Signal,
        value: u64,
        thread: Option<u32>,
    },
    /// timer_create with SIGEV_NONE.
    Nobody,
    /// RLIMIT_CPU: SIGXCPU at the soft limit, which rises by a second each time, SIGKILL at the hard one.
    CpuLimit,
}

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// One timer of a process.
pub(crate) struct SignalTimer {
    /// Its number among the process's.
    number: u32,
    owner: Weak<Process>,
    /// The clock of its absolute times.
    pub(crate) clock: Clock,
    notice: Notice,
    /// Expirations between the last signal's sending and its delivery.
    overrun: AtomicU32,
    state: Mutex<State>,
}

struct State {
    /// On the timer's base, see [`SignalTimer::now`].
    schedule: Schedule,
    armed: Option<Timer>,
    /// Of a timer of CPU time: where its clock stood when it was last looked at, and for how long it is not looked at again.
    seen: u64,
    pause: u64,
}

/// Most overruns that are told of (DELAYTIMER_MAX).
pub(crate) const MAX_OVERRUN: u32 = i32::MAX as u32;

/// How long a timer of CPU time is not looked at, in nanoseconds: the least, and the most while its owner waits.
const MIN_PAUSE: u64 = 4_000_000;
const MAX_PAUSE: u64 = 64_000_000;

impl SignalTimer {
    fn new(number: u32, owner: &Arc<Process>, clock: Clock, notice: Notice) -> Arc<Self> {
        let state = Mutex::new(State {
            schedule: Schedule::default(),
            armed: None,
            seen: 0,
            pause: MIN_PAUSE,
        });
        Arc::new(Self {
            number,
            owner: Arc::downgrade(owner),
            clock,
            notice,
            overrun: AtomicU32::new(0),
            state,
        })
    }

    /// What its schedule goes by: CPU time, or CLOCK_MONOTONIC.
    fn now(&self) -> u64 {
        match self.clock.is_cpu_time() {
            true => self.clock.now(),
            false => clock::monotonic(),
        }
    }

    /// Arms it for a time on CLOCK_MONOTONIC, or disarms it; gives what was left and the interval before.
    pub(crate) fn set(self: &Arc<Self>, next: Option<u64>, interval: u64) -> Result<(u64, u64)> {
        let now = self.now();
        let next = match self.clock.is_cpu_time() {
            true => next.map(|next| now.saturating_add(next.saturating_sub(clock::monotonic()))),
            false => next,
        };
        let mut state = self.state.lock();
        let before = (state.schedule.left(now), state.schedule.interval);
        let interval = if next.is_some() { interval } else { 0 };
        state.schedule = Schedule { next, interval };
        self.overrun.store(0, Ordering::Relaxed);
        let old = core::mem::take(&mut state.armed);
        state.armed = next.map(|next| self.arm(&mut state, next, now)).transpose()?;
        drop(state);
        drop(old);
        Ok(before)
    }

    /// What is left, and the interval.
    pub(crate) fn get(&self) -> (u64, u64) {
        let now = self.now();
        let state = self.state.lock();
        (state.schedule.left(now), state.schedule.interval)
    }

    /// timer_getoverrun(2).
    pub(crate) fn overrun(&self) -> u32 {
        self.overrun.load(Ordering::Relaxed)
    }

    fn arm(self: &Arc<Self>, state: &mut State, next: u64, now: u64) -> Result<Timer> {
        let next = match self.clock.is_cpu_time() {
            true => self.next_look(state, next, now),
            false => next,
        };
        let this = Arc::downgrade(self);
        crate::container().timers.arm(next, move || {
            if let Some(this) = this.upgrade() {
                this.expire();
            }
        })
    }

    /// When a timer of CPU time is looked at: its clock cannot be there before, unless several threads run. While it stands still,
    /// ever more rarely.
    fn next_look(&self, state: &mut State, next: u64, now: u64) -> u64 {
        state.pause = match now == state.seen {
            true => (state.pause * 2).min(MAX_PAUSE),
            false => MIN_PAUSE,
        };
        state.seen = now;
        let threads = self
            .owner
            .upgrade()
            .map_or(1, |owner| owner.thread_count().max(1));
        let left = next.saturating_sub(now) / threads as u64;
        clock::monotonic().saturating_add(left.max(state.pause))
    }

    /// Counts expirations as overruns, if the signal of an earlier one is pending still: a timer has one signal at a time.
    fn pending_overrun(&self, owner: &Process, count: u32) -> Option<u32> {
        let Notice::Queued { thread, .. } = self.notice else {
            return None;
        };
        match thread {
            None => owner.pending.lock().overrun(self.number, count),
            Some(tid) => owner
                .thread(tid)?
                .signals
                .lock()
                .pending
                .overrun(self.number, count),
        }
    }

    /// A process has used the CPU time that its soft limit allows (`check_process_timers` of the kernel).
    fn exceeded(&self, owner: &Arc<Process>, now: u64) -> Result<()> {
        let signal = {
            let mut limits = owner.limits.lock();
            let limit = &mut limits[Resource::RLIMIT_CPU];
            let is_hard = limit.maximum != RLIM_INFINITY && now >= nanoseconds(limit.maximum);
            match is_hard {
                true => Signal::SIGKILL,
                false => {
                    limit.current = (now / SECOND + 1).min(limit.maximum);
                    Signal::SIGXCPU
                }
            }
        };
        send::to_process(owner, SignalInfo::new(signal, SignalCode::SI_KERNEL))
    }

    fn expire(self: &Arc<Self>) {
        let now = self.now();
        let mut state = self.state.lock();
        let count = state.schedule.advance(now);
        let next = state.schedule.next;
        let old = core::mem::take(&mut state.armed);
        state.armed = next.and_then(|next| self.arm(&mut state, next, now).ok());
        drop(state);
        drop(old);
        let Some(owner) = self.owner.upgrade().filter(|_| count > 0) else {
            return;
        };
        let count = u32::try_from(count).map_or(MAX_OVERRUN + 1, |count| count.min(MAX_OVERRUN + 1));
        if let Some(overrun) = self.pending_overrun(&owner, count) {
            return self.overrun.store(overrun, Ordering::Relaxed);
        }
        let missed = count - 1;
        self.overrun.store(missed, Ordering::Relaxed);
        // A full queue loses the signal, as on Linux.
        let _ = match self.notice {
            Notice::Nobody => Ok(()),
            Notice::CpuLimit => self.exceeded(&owner, now),
            Notice::Plain(signal) => send::to_process(&owner, SignalInfo::new(signal, SignalCode::SI_KERNEL)),
            Notice::Queued {
                signal,
                value,
                thread,
            } => {
                let info = SignalInfo::timer(signal, self.number, missed, value);
                match thread.map(table::thread) {
                    None => send::to_process(&owner, info),
                    Some(Some(thread)) => send::to_thread(&thread, info),
                    Some(None) => Ok(()),
                }
            }
        };
    }
}

/// The nanoseconds of a limit in seconds.
fn nanoseconds(limit: u64) -> u64 {
    limit.saturating_mul(SECOND)
}

/// The timers of a process.
pub(crate) struct IntervalTimers {
    /// ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. The last two go by the same time: see `time::cpu`.
    interval: Mutex<[Option<Arc<SignalTimer>>; 3]>,
    /// RLIMIT_CPU's, once there is such a limit.
    cpu_limit: Mutex<Option<Arc<SignalTimer>>>,
    created: Mutex<BTreeMap<u32, Arc<SignalTimer>>>,
}

/// Most timers that a process can create.
const MAX_TIMERS: usize = 4096;

impl IntervalTimers {
    pub(crate) fn new() -> Self {
        Self {
            interval: Mutex::new([None, None, None]),
            cpu_limit: Mutex::new(None),
            created: Mutex::new(BTreeMap::new()),
        }
    }

    /// The interval timer with this number.
    pub(crate) fn interval(&self, process: &Arc<Process>, which: IntervalTimer) -> Result<Arc<SignalTimer>> {
        let cpu = Clock::ProcessCpu(process.pid);
        let (signal, clock) = match which {
            IntervalTimer::ITIMER_REAL => (Signal::SIGALRM, Clock::Monotonic),
            IntervalTimer::ITIMER_VIRTUAL => (Signal::SIGVTALRM, cpu),
            IntervalTimer::ITIMER_PROF => (Signal::SIGPROF, cpu),
            _ => return Err(Errno::EINVAL),
        };
        let mut timers = self.interval.lock();
        let place = timers.get_mut(which.0 as usize).ok_or(Errno::EINVAL)?;
        let timer = place.get_or_insert_with(|| SignalTimer::new(0, process, clock, Notice::Plain(signal)));
        Ok(timer.clone())
    }

    /// Heeds the process's RLIMIT_CPU, which is new.
    pub(crate) fn limit_cpu(&self, process: &Arc<Process>) -> Result<()> {
        let soft = process.limits.lock()[Resource::RLIMIT_CPU].current;
        let mut timer = self.cpu_limit.lock();
        if soft == RLIM_INFINITY && timer.is_none() {
            return Ok(());
        }
        let clock = Clock::ProcessCpu(process.pid);
        let timer = timer.get_or_insert_with(|| SignalTimer::new(0, process, clock, Notice::CpuLimit));
        let left = nanoseconds(soft).saturating_sub(clock.now());
        let next = (soft != RLIM_INFINITY).then(|| clock::monotonic().saturating_add(left));
        timer.set(next, SECOND).map(drop)
    }

    /// timer_create: gives the number. SIGEV_SIGNAL without a value sends the number.
    pub(crate) fn create(
        &self,
        thread: &Thread,
        clock: Clock,
        notice: impl FnOnce(u32) -> Notice,
    ) -> Result<u32> {
        let mut created = self.created.lock();
        if created.len() >= MAX_TIMERS {
            return Err(Errno::EAGAIN);
        }
        let number = (0..)
            .find(|number| !created.contains_key(number))
            .ok_or(Errno::EAGAIN)?;
        created.insert(
            number,
            SignalTimer::new(number, &thread.process, clock, notice(number)),
        );
        Ok(number)
    }

    /// The created timer with this number.
    pub(crate) fn created(&self, number: u32) -> Result<Arc<SignalTimer>> {
        self.created.lock().get(&number).cloned().ok_or(Errno::EINVAL)
    }

    /// Deletes all created timers, as execve(2) does.
    pub(crate) fn delete_created(&self) {
        let deleted = core::mem::take(&mut *self.created.lock());
        drop(deleted);
    }

    /// timer_delete.
    pub(crate) fn delete(&self, number: u32) -> Result<()> {
        let removed = self.created.lock().remove(&number);
        removed.map(drop).ok_or(Errno::EINVAL)
    }
}
