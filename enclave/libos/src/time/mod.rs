//! Time as programs see it: clocks by number, the vDSO, interval timers.

pub(crate) mod cpu;
pub(crate) mod interval;
pub(crate) mod vdso;

use kobject::clock::{self, SECOND};
use kobject::{Errno, Result};
use linux_abi::ClockId;

use crate::process::{CURRENT, table};

/// A clock of clock_gettime(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    /// CPU time of a process.
    ProcessCpu(u32),
    /// CPU time of a thread.
    ThreadCpu(u32),
}

impl Clock {
    /// The clock with this number; EINVAL, also for the clock of a process that does not exist, or of another process's thread. Raw,
    /// coarse and boot-time clocks are the two that exist.
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
            ClockId::CLOCK_PROCESS_CPUTIME_ID => Ok(Self::ProcessCpu(own_process())),
            ClockId::CLOCK_THREAD_CPUTIME_ID => Ok(Self::ThreadCpu(own_thread())),
            // By a descriptor of a device with a clock (`CLOCKFD` of the kernel), of which there is none.
            ClockId(..0) if id.is_of_descriptor() => Err(Errno::EINVAL),
            // Clocks of other processes and threads (clock_getcpuclockid(3)); 0 is the caller.
            ClockId(..0) if id.is_of_thread() => match id.owner() {
                0 => Ok(Self::ThreadCpu(own_thread())),
                tid => CURRENT
                    .with(|thread| thread.process.thread(tid))
                    .map(|thread| Self::ThreadCpu(thread.tid))
                    .ok_or(Errno::EINVAL),
            },
            ClockId(..0) => match id.owner() {
                0 => Ok(Self::ProcessCpu(own_process())),
                pid => table::process(pid)
                    .map(|process| Self::ProcessCpu(process.pid))
                    .ok_or(Errno::EINVAL),
            },
            _ => Err(Errno::EINVAL),
        }
    }

    /// As [`Self::from_raw`], for timers and sleep; EOPNOTSUPP for clocks that can only be read.
    pub(crate) fn to_wait_by(id: ClockId) -> Result<Self> {
        match id {
            ClockId::CLOCK_REALTIME_COARSE
            | ClockId::CLOCK_MONOTONIC_COARSE
            | ClockId::CLOCK_MONOTONIC_RAW => Err(Errno::EOPNOTSUPP),
            id => Self::from_raw(id),
        }
    }

    /// Whether it stands still while its owner waits.
    pub(crate) fn is_cpu_time(self) -> bool {
        matches!(self, Self::ProcessCpu(_) | Self::ThreadCpu(_))
    }

    /// Nanoseconds; 0 for who is gone.
    pub(crate) fn now(self) -> u64 {
        match self {
            Self::Realtime => clock::realtime(),
            Self::Monotonic => clock::monotonic(),
            Self::ProcessCpu(pid) => table::process(pid).map_or(0, |process| process.cpu_time()),
            Self::ThreadCpu(tid) => CURRENT
                .try_with(|thread| (thread.tid == tid).then(|| thread.cpu.total()))
                .flatten()
                .or_else(|| table::thread(tid).map(|thread| thread.cpu.total()))
                .unwrap_or(0),
        }
    }

    /// The deadline on CLOCK_MONOTONIC of a time on this clock.
    pub(crate) fn deadline(self, at: u64) -> u64 {
        // A time that has passed stays in the past: what repeats from there on has been missed.
        clock::monotonic().saturating_add(at).saturating_sub(self.now())
    }
}

fn own_process() -> u32 {
    CURRENT.with(|thread| thread.process.pid)
}

fn own_thread() -> u32 {
    CURRENT.with(|thread| thread.tid)
}

/// CLOCK_REALTIME in whole seconds.
pub(crate) fn seconds() -> u64 {
    clock::realtime() / SECOND
}
