//! setitimer, alarm, timer_create and their kin.

use alloc::sync::Arc;

use kobject::clock::SECOND;
use kobject::{Errno, Result, clock};

use super::Call;
use super::table::Row;
use crate::process::table;
use crate::signal::Signal;
use crate::time::Clock;
use crate::time::interval::{Notice, SignalTimer};
use crate::uapi::{Itimerspec, Itimerval, Timespec, Timeval};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        38,
        "setitimer",
        sys_setitimer,
        "dxx",
        "ITIMER_VIRTUAL and ITIMER_PROF go by elapsed time",
    ),
    Row::full(36, "getitimer", sys_getitimer, "dx"),
    Row::full(37, "alarm", sys_alarm, "d"),
    Row::partial(
        222,
        "timer_create",
        sys_timer_create,
        "dxx",
        "CPU-time clocks go by elapsed time",
    ),
    Row::full(223, "timer_settime", sys_timer_settime, "ddxx"),
    Row::full(224, "timer_gettime", sys_timer_gettime, "dx"),
    Row::full(225, "timer_getoverrun", sys_timer_getoverrun, "d"),
    Row::full(226, "timer_delete", sys_timer_delete, "d"),
];

fn interval_timer(call: &Call<'_>, which: u64) -> Result<Arc<SignalTimer>> {
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

pub(super) fn sys_setitimer(call: &mut Call<'_>) -> Result<u64> {
    let [which, new, old, ..] = call.args;
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

pub(super) fn sys_getitimer(call: &mut Call<'_>) -> Result<u64> {
    let timer = interval_timer(call, call.args[0])?;
    user::put(call.args[1], &itimerval(timer.get()))?;
    Ok(0)
}

pub(super) fn sys_alarm(call: &mut Call<'_>) -> Result<u64> {
    let timer = interval_timer(call, 0)?;
    let (left, _) = timer.set(armed((call.args[0] as u32 as u64) * SECOND), 0)?;
    // To the nearest second, but an armed timer never shows zero.
    let seconds = (left + SECOND / 2) / SECOND;
    Ok(if left > 0 { seconds.max(1) } else { 0 })
}

/// When a relative time is over; zero disarms.
fn armed(value: u64) -> Option<u64> {
    (value != 0).then(|| clock::monotonic().saturating_add(value))
}

pub(super) fn sys_timer_create(call: &mut Call<'_>) -> Result<u64> {
    let [clock, event, out, ..] = call.args;
    let clock = Clock::from_raw(clock)?;
    const SIGEV_SIGNAL: u32 = 0;
    const SIGEV_NONE: u32 = 1;
    const SIGEV_THREAD_ID: u32 = 4;
    // struct sigevent: value (8), signal (4), notify (4), thread (4).
    let event = match event {
        0 => None,
        at => {
            let value: u64 = user::get(at)?;
            let [signal, notify, tid]: [u32; 3] = user::get(at + 8)?;
            Some((value, signal, notify, tid))
        }
    };
    let notice = move |number: u32| -> Result<Notice> {
        let Some((value, signal, notify, tid)) = event else {
            return Ok(Notice::Queued {
                signal: Signal::ALRM,
                value: number.into(),
                thread: None,
            });
        };
        if notify == SIGEV_NONE {
            return Ok(Notice::Nobody);
        }
        let signal = Signal::from_raw(signal.into()).ok_or(Errno::EINVAL)?;
        match notify {
            SIGEV_SIGNAL => Ok(Notice::Queued {
                signal,
                value,
                thread: None,
            }),
            SIGEV_THREAD_ID if table::thread(tid).is_some() => Ok(Notice::Queued {
                signal,
                value,
                thread: Some(tid),
            }),
            _ => Err(Errno::EINVAL),
        }
    };
    notice(0)?;
    let timers = &call.thread.process.timers;
    let number = timers.create(call.thread, clock, |number| {
        notice(number).unwrap_or(Notice::Nobody)
    })?;
    if let Err(error) = user::put(out, &number) {
        timers.delete(number.into())?;
        return Err(error);
    }
    Ok(0)
}

fn itimerspec((left, interval): (u64, u64)) -> Itimerspec {
    Itimerspec {
        interval: Timespec::of(interval),
        value: Timespec::of(left),
    }
}

pub(super) fn sys_timer_settime(call: &mut Call<'_>) -> Result<u64> {
    let [number, flags, new, old, ..] = call.args;
    const TIMER_ABSTIME: u64 = 1;
    let timer = call.thread.process.timers.created(number)?;
    let new: Itimerspec = user::get(new)?;
    let value = new.value.nanoseconds()?;
    let next = match flags & TIMER_ABSTIME {
        0 => armed(value),
        _ if value == 0 => None,
        _ => Some(timer.clock.deadline(value)),
    };
    let before = timer.set(next, new.interval.nanoseconds()?)?;
    user::put_if(old, &itimerspec(before))?;
    Ok(0)
}

pub(super) fn sys_timer_gettime(call: &mut Call<'_>) -> Result<u64> {
    let timer = call.thread.process.timers.created(call.args[0])?;
    user::put(call.args[1], &itimerspec(timer.get()))?;
    Ok(0)
}

pub(super) fn sys_timer_getoverrun(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.timers.created(call.args[0])?.overrun().into())
}

pub(super) fn sys_timer_delete(call: &mut Call<'_>) -> Result<u64> {
    call.thread.process.timers.delete(call.args[0])?;
    Ok(0)
}
