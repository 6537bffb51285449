//! `timerfd_create`: a timer as a file.

use alloc::sync::{Arc, Weak};
use core::any::Any;

use kobject::{
    Errno, File, FileKind, How, Mutex, Observer, Result, Sink, Stat, Subscription, WaitQueue, clock,
    wait_until,
};
use linux_abi::{ClockId, PollEvents};

use crate::anonymous;
use crate::timer::{Schedule, Timer, Timers};

/// The clock that absolute times are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerClock {
    /// CLOCK_REALTIME, CLOCK_REALTIME_ALARM.
    Realtime,
    /// CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM: an enclave does not notice that its machine
    /// sleeps.
    Monotonic,
}

impl TimerClock {
    /// The clock; EINVAL for those that `timerfd_create` does not take.
    pub fn from_raw(raw: ClockId) -> Result<Self> {
        match raw {
            ClockId::CLOCK_REALTIME | ClockId::CLOCK_REALTIME_ALARM => Ok(Self::Realtime),
            ClockId::CLOCK_MONOTONIC | ClockId::CLOCK_BOOTTIME | ClockId::CLOCK_BOOTTIME_ALARM => {
                Ok(Self::Monotonic)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// A time on this clock as one on [`clock::monotonic`], by what the clocks show now.
    pub fn to_monotonic(self, time: u64) -> u64 {
        match self {
            Self::Monotonic => time,
            Self::Realtime => {
                let now = clock::realtime();
                clock::monotonic().saturating_add(time).saturating_sub(now)
            }
        }
    }
}

/// Counts how often its time has come.
///
/// The date never jumps inside an enclave but for the host's lies, so TFD_TIMER_CANCEL_ON_SET has no effect.
pub struct TimerFd {
    clock: TimerClock,
    timers: Arc<Timers>,
    state: Mutex<State>,
    queue: Arc<WaitQueue>,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    /// Times that have come and were not read.
    ticks: u64,
    timer: Option<Timer>,
}

impl State {
    fn advance(&mut self) {
        if self.schedule.next.is_some() {
            self.ticks += self.schedule.advance(clock::monotonic());
        }
    }
}

/// What `timerfd_settime` sets and `timerfd_gettime` tells: nanoseconds until the next time (0: disarmed),
/// and from each to the one after it (0: once).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerSetting {
    /// `it_value`
    pub value: u64,
    /// `it_interval`
    pub interval: u64,
}

/// What `it_value` is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerBase {
    /// From now.
    Relative,
    /// From the clock's zero (TFD_TIMER_ABSTIME).
    Absolute,
}

impl TimerFd {
    /// A disarmed timer.
    pub fn new(clock: TimerClock, timers: Arc<Timers>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            timers,
            state: Mutex::default(),
            queue: WaitQueue::new(),
        })
    }

    /// `timerfd_settime`: gives the setting before.
    pub fn set(&self, setting: TimerSetting, base: TimerBase) -> Result<TimerSetting> {
        let mut state = self.state.lock();
        state.advance();
        let now = clock::monotonic();
        let old = Self::setting(&state, now);
        let next = match (setting.value, base) {
            (0, _) => None,
            (value, TimerBase::Relative) => Some(now.saturating_add(value)),
            (value, TimerBase::Absolute) => Some(self.clock.to_monotonic(value)),
        };
        state.schedule = Schedule {
            next,
            interval: setting.interval,
        };
        state.ticks = 0;
        self.rearm(&mut state)?;
        Ok(old)
    }

    /// `timerfd_gettime`.
    pub fn get(&self) -> TimerSetting {
        let mut state = self.state.lock();
        state.advance();
        Self::setting(&state, clock::monotonic())
    }

    fn setting(state: &State, now: u64) -> TimerSetting {
        TimerSetting {
            value: state.schedule.left(now),
            interval: state.schedule.interval,
        }
    }

    fn rearm(&self, state: &mut State) -> Result<()> {
        state.timer = None;
        if let Some(next) = state.schedule.next {
            let queue = Arc::downgrade(&self.queue);
            let wake = move || {
                if let Some(queue) = queue.upgrade() {
                    queue.wake(PollEvents::READABLE);
                }
            };
            state.timer = Some(self.timers.arm(next, wake)?);
        }
        Ok(())
    }

    /// The count since the last read; EAGAIN while it is 0.
    fn try_take(&self) -> Result<u64> {
        let mut state = self.state.lock();
        state.advance();
        match core::mem::take(&mut state.ticks) {
            0 => Err(Errno::EAGAIN),
            ticks => {
                // As on Linux, a periodic timer rings once until it is read.
                self.rearm(&mut state)?;
                Ok(ticks)
            }
        }
    }
}

impl File for TimerFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        anonymous::stat(FileKind::Anonymous, 0o600, 0)
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if to.room() < 8 {
            return Err(Errno::EINVAL);
        }
        let ticks = if how.nonblocking {
            self.try_take()?
        } else {
            wait_until(&self.queue, PollEvents::READABLE, None, || self.try_take())?
        };
        to.put(&ticks.to_ne_bytes())?;
        Ok(8)
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let mut state = self.state.lock();
        state.advance();
        let mut events = PollEvents::empty();
        events.set(PollEvents::POLLIN, state.ticks > 0);
        events & interest
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.queue.subscribe(interest, observer))
    }
}
