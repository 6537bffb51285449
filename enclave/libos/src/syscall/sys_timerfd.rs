//! timerfd_create, timerfd_settime, timerfd_gettime.

use kobject::{Errno, Result};
use libos_io::{TimerClock, TimerFd};
use linux_abi::{ClockId, TimerFdFlags};

use super::Call;
use super::new_descriptor::{add, flags};
use super::table::Row;
use crate::uapi::{Itimerspec, Timespec};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        283,
        "timerfd_create",
        sys_timerfd_create,
        "dx",
        "time that the machine sleeps is not noticed",
    ),
    Row::partial(
        286,
        "timerfd_settime",
        sys_timerfd_settime,
        "dxxx",
        "no TFD_TIMER_CANCEL_ON_SET",
    ),
    Row::full(287, "timerfd_gettime", sys_timerfd_gettime, "dx"),
];

fn sys_timerfd_create(call: &mut Call<'_>) -> Result<u64> {
    let (flags, on_exec) = flags(call.uint(1), 0)?;
    let clock = TimerClock::from_raw(ClockId(call.int(0)))?;
    let timer = TimerFd::new(clock, crate::container().timers.clone());
    Ok(add(&call.thread.process, timer, flags, on_exec)?.into())
}

fn setting(raw: libos_io::TimerSetting) -> Itimerspec {
    Itimerspec {
        interval: Timespec::of(raw.interval),
        value: Timespec::of(raw.value),
    }
}

fn sys_timerfd_settime(call: &mut Call<'_>) -> Result<u64> {
    let (fd, flags, new, old): (_, TimerFdFlags, _, _) =
        (call.fd(0), call.flags(1)?, call.pointer(2), call.pointer(3));
    let new: Itimerspec = user::get(new)?;
    let file = call.file(fd)?;
    let timer = file.object_as::<TimerFd>().ok_or(Errno::EINVAL)?;
    let new = libos_io::TimerSetting {
        value: new.value.nanoseconds()?,
        interval: new.interval.nanoseconds()?,
    };
    let base = if flags.contains(TimerFdFlags::TFD_TIMER_ABSTIME) {
        libos_io::TimerBase::Absolute
    } else {
        libos_io::TimerBase::Relative
    };
    let before = timer.set(new, base)?;
    user::put_if(old, &setting(before))?;
    Ok(0)
}

fn sys_timerfd_gettime(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    let timer = file.object_as::<TimerFd>().ok_or(Errno::EINVAL)?;
    user::put(call.pointer(1), &setting(timer.get()))?;
    Ok(0)
}
