//! Clocks: clock_gettime, clock_getres, clock_settime, gettimeofday, settimeofday, time.

use kobject::{Errno, Result, clock};
use linux_abi::ClockId;

use super::Call;
use super::table::Row;
use crate::time::Clock;
use crate::uapi::{Timespec, Timeval};
use crate::{time, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        228,
        "clock_gettime",
        sys_clock_gettime,
        "dx",
        "CPU time is the time that threads did not wait",
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
];

fn sys_clock_gettime(call: &mut Call<'_>) -> Result<u64> {
    let now = Clock::from_raw(ClockId(call.int(0)))?.now();
    user::put(call.pointer(1), &Timespec::of(now))?;
    Ok(0)
}

fn sys_clock_getres(call: &mut Call<'_>) -> Result<u64> {
    Clock::from_raw(ClockId(call.int(0)))?;
    // Coarse clocks tick with the kernel on Linux: 4 ms at 250 Hz.
    let resolution = match ClockId(call.int(0)) {
        ClockId::CLOCK_REALTIME_COARSE | ClockId::CLOCK_MONOTONIC_COARSE => 4_000_000,
        _ => 1,
    };
    user::put_if(call.pointer(1), &Timespec::of(resolution))?;
    Ok(0)
}

/// The host's clocks are not the container's to set.
fn sys_clock_settime(call: &mut Call<'_>) -> Result<u64> {
    match Clock::from_raw(ClockId(call.int(0)))? {
        Clock::Realtime => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

fn sys_gettimeofday(call: &mut Call<'_>) -> Result<u64> {
    user::put_if(call.pointer(0), &Timeval::of(clock::realtime()))?;
    // The kernel's time zone, which nobody sets.
    user::put_if(call.pointer(1), &0u64)?;
    Ok(0)
}

fn sys_settimeofday(_: &mut Call<'_>) -> Result<u64> {
    Err(Errno::EPERM)
}

fn sys_time(call: &mut Call<'_>) -> Result<u64> {
    let now = time::seconds();
    user::put_if(call.pointer(0), &now)?;
    Ok(now)
}
