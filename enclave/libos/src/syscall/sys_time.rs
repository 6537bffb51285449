//! clock_gettime and everything about clocks and sleeping.

use kobject::{Errno, Result, Waiter, clock};

use super::Call;
use super::table::Row;
use crate::time::{self, Clock};
use crate::uapi::{Timespec, Timeval};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        228,
        "clock_gettime",
        sys_clock_gettime,
        "dx",
        "CPU-time clocks show elapsed time",
    ),
    Row::full(229, "clock_getres", sys_clock_getres, "dx"),
    Row::partial(
        227,
        "clock_settime",
        sys_clock_settime,
        "dx",
        "always EPERM: the clocks are the host's",
    ),
    Row::full(96, "gettimeofday", sys_gettimeofday, "xx"),
    Row::partial(164, "settimeofday", sys_settimeofday, "xx", "always EPERM"),
    Row::full(201, "time", sys_time, "x"),
    Row::full(35, "nanosleep", sys_nanosleep, "xx"),
    Row::full(230, "clock_nanosleep", sys_clock_nanosleep, "dxxx"),
];

const TIMER_ABSTIME: u64 = 1;

pub(super) fn sys_clock_gettime(call: &mut Call<'_>) -> Result<u64> {
    let now = Clock::from_raw(call.args[0])?.now();
    user::put(call.args[1], &Timespec::of(now))?;
    Ok(0)
}

pub(super) fn sys_clock_getres(call: &mut Call<'_>) -> Result<u64> {
    Clock::from_raw(call.args[0])?;
    // Coarse clocks tick with the kernel on Linux: 4 ms at 250 Hz.
    let resolution = if matches!(call.args[0], 5 | 6) {
        4_000_000
    } else {
        1
    };
    user::put_if(call.args[1], &Timespec::of(resolution))?;
    Ok(0)
}

/// The host's clocks are not the container's to set.
pub(super) fn sys_clock_settime(call: &mut Call<'_>) -> Result<u64> {
    match Clock::from_raw(call.args[0])? {
        Clock::Realtime => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

pub(super) fn sys_gettimeofday(call: &mut Call<'_>) -> Result<u64> {
    user::put_if(call.args[0], &Timeval::of(clock::realtime()))?;
    // The kernel's time zone, which nobody sets.
    user::put_if(call.args[1], &0u64)?;
    Ok(0)
}

pub(super) fn sys_settimeofday(_: &mut Call<'_>) -> Result<u64> {
    Err(Errno::EPERM)
}

pub(super) fn sys_time(call: &mut Call<'_>) -> Result<u64> {
    let now = time::seconds();
    user::put_if(call.args[0], &now)?;
    Ok(now)
}

pub(super) fn sys_nanosleep(call: &mut Call<'_>) -> Result<u64> {
    let wanted = user::get::<Timespec>(call.args[0])?.nanoseconds()?;
    sleep(
        call,
        clock::monotonic().saturating_add(wanted),
        Some(call.args[1]),
    )
}

pub(super) fn sys_clock_nanosleep(call: &mut Call<'_>) -> Result<u64> {
    let [number, flags, request, remaining, ..] = call.args;
    let clock = Clock::from_raw(number)?;
    if clock == Clock::ThreadCpu {
        return Err(Errno::EINVAL);
    }
    let wanted = user::get::<Timespec>(request)?.nanoseconds()?;
    if flags & TIMER_ABSTIME != 0 {
        return sleep(call, clock.deadline(wanted), None);
    }
    sleep(call, clock::monotonic().saturating_add(wanted), Some(remaining))
}

/// Sleeps until the deadline; if a signal ends it, says how long it would have gone on.
fn sleep(call: &Call<'_>, deadline: u64, remaining: Option<u64>) -> Result<u64> {
    let waiter = Waiter::new();
    loop {
        match waiter.sleep(Some(deadline)) {
            Err(Errno::ETIMEDOUT) => return Ok(0),
            Err(Errno::EINTR) if call.thread.is_interrupted() => {
                if let Some(at) = remaining {
                    let left = deadline.saturating_sub(clock::monotonic());
                    user::put_if(at, &Timespec::of(left))?;
                }
                return Err(Errno::EINTR);
            }
            _ => {}
        }
    }
}
