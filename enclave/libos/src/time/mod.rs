//! Time as programs see it: clocks by number, the vDSO, interval timers.

pub(crate) mod interval;
pub(crate) mod vdso;

use kobject::clock::{self, SECOND};
use kobject::{Errno, Result};
use linux_abi::ClockId;

/// A clock of clock_gettime(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    /// CPU time of the process or of a thread: the time since it began, since only the host knows what it got.
    ProcessCpu,
    ThreadCpu,
}

impl Clock {
    /// The clock with this number; EINVAL. Raw, coarse and boot-time clocks are the two that exist.
    pub(crate) fn from_raw(id: ClockId) -> Result<Self> {
        match id {
            ClockId::CLOCK_REALTIME
            | ClockId::CLOCK_REALTIME_COARSE
            | ClockId::CLOCK_REALTIME_ALARM
            | ClockId::CLOCK_TAI => Ok(Self::Realtime),
            ClockId::CLOCK_MONOTONIC
            | ClockId::CLOCK_MONOTONIC_RAW
            | ClockId::CLOCK_MONOTONIC_COARSE
            | ClockId::CLOCK_BOOTTIME
            | ClockId::CLOCK_BOOTTIME_ALARM => Ok(Self::Monotonic),
            ClockId::CLOCK_PROCESS_CPUTIME_ID => Ok(Self::ProcessCpu),
            ClockId::CLOCK_THREAD_CPUTIME_ID => Ok(Self::ThreadCpu),
            // Clocks of other processes and threads (clock_getcpuclockid(3)).
            ClockId(..0) if id.is_of_thread() => Ok(Self::ThreadCpu),
            ClockId(..0) => Ok(Self::ProcessCpu),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Nanoseconds.
    pub(crate) fn now(self) -> u64 {
        match self {
            Self::Realtime => clock::realtime(),
            Self::Monotonic => clock::monotonic(),
            Self::ProcessCpu | Self::ThreadCpu => cpu_time(),
        }
    }

    /// The deadline on CLOCK_MONOTONIC of a time on this clock.
    pub(crate) fn deadline(self, at: u64) -> u64 {
        clock::monotonic().saturating_add(at.saturating_sub(self.now()))
    }
}

/// The calling process's CPU time, as far as it can be known: the time since it began.
pub(crate) fn cpu_time() -> u64 {
    let started = crate::process::CURRENT.with(|thread| thread.process.started);
    clock::monotonic().saturating_sub(started)
}

/// CLOCK_REALTIME in whole seconds.
pub(crate) fn seconds() -> u64 {
    clock::realtime() / SECOND
}
