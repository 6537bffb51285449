//! setitimer, getitimer, alarm.

use alloc::sync::Arc;

use kobject::{
    Result,
    clock::{self, SECOND},
};
use linux_abi::IntervalTimer;

use super::Call;
use super::table::Row;
use crate::time::interval::SignalTimer;
use crate::uapi::{Itimerval, Timeval};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        38,
        "setitimer",
        sys_setitimer,
        "dxx",
        "ITIMER_VIRTUAL and ITIMER_PROF count the time that threads did not wait",
    ),
    Row::full(36, "getitimer", sys_getitimer, "dx"),
    Row::full(37, "alarm", sys_alarm, "d"),
];

fn sys_setitimer(call: &mut Call<'_>) -> Result<u64> {
    let (which, new, old) = (IntervalTimer(call.int(0)), call.pointer(1), call.pointer(2));
    let timer = interval_timer(call, which)?;
    // A null pointer disarms, as Linux still has it.
    let (next, interval) = match user::get_if::<Itimerval>(new)? {
        None => (None, 0),
        Some(new) => {
            let value = new.value.nanoseconds()?;
            (armed(value), new.interval.nanoseconds()?)
        }
    };
    let before = timer.set(next, interval)?;
    user::put_if(old, &itimerval(before))?;
    Ok(0)
}

fn sys_getitimer(call: &mut Call<'_>) -> Result<u64> {
    let timer = interval_timer(call, IntervalTimer(call.int(0)))?;
    user::put(call.pointer(1), &itimerval(timer.get()))?;
    Ok(0)
}

fn sys_alarm(call: &mut Call<'_>) -> Result<u64> {
    let timer = interval_timer(call, IntervalTimer::ITIMER_REAL)?;
    let (left, _) = timer.set(armed((u64::from(call.uint(0))) * SECOND), 0)?;
    // To the nearest second, but an armed timer never shows zero.
    let seconds = (left + SECOND / 2) / SECOND;
    Ok(if left > 0 { seconds.max(1) } else { 0 })
}

fn interval_timer(call: &Call<'_>, which: IntervalTimer) -> Result<Arc<SignalTimer>> {
    let process = &call.thread.process;
    process.timers.interval(process, which)
}

fn itimerval((left, interval): (u64, u64)) -> Itimerval {
    // Rounded up: a timer that is armed never shows zero.
    let up = |nanoseconds: u64| Timeval::of(nanoseconds.next_multiple_of(1000));
    Itimerval {
        interval: up(interval),
        value: up(left),
    }
}

/// When a relative time is over; zero disarms.
pub(super) fn armed(value: u64) -> Option<u64> {
    (value != 0).then(|| clock::monotonic().saturating_add(value))
}
