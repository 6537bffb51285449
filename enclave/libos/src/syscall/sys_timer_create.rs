//! timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete.

use kobject::{Errno, Result};
use linux_abi::{ClockId, Signal, SignalEvent, TimerFlags};

use super::Call;
use super::sys_setitimer::armed;
use super::table::Row;
use crate::time::Clock;
use crate::time::interval::Notice;
use crate::uapi::{Itimerspec, Timespec};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        222,
        "timer_create",
        sys_timer_create,
        "dxx",
        "CPU-time clocks count the time that threads did not wait",
    ),
    Row::full(223, "timer_settime", sys_timer_settime, "ddxx"),
    Row::full(224, "timer_gettime", sys_timer_gettime, "dx"),
    Row::full(225, "timer_getoverrun", sys_timer_getoverrun, "d"),
    Row::full(226, "timer_delete", sys_timer_delete, "d"),
];

fn sys_timer_create(call: &mut Call<'_>) -> Result<u64> {
    let (clock, event, out) = (call.int(0), call.pointer(1), call.pointer(2));
    let clock = Clock::to_wait_by(ClockId(clock))?;
    // struct sigevent: value (8), signal (4), notify (4), thread (4).
    let event = if event == 0 {
        None
    } else {
        let value: u64 = user::get(event)?;
        let [signal, notify, tid]: [u32; 3] = user::get(event + 8)?;
        Some((value, signal, SignalEvent(notify), tid))
    };
    let process = call.thread.process.clone();
    let notice = move |number: u32| -> Result<Notice> {
        let Some((value, signal, notify, tid)) = event else {
            return Ok(Notice::Queued {
                signal: Signal::SIGALRM,
                value: number.into(),
                thread: None,
            });
        };
        if notify == SignalEvent::SIGEV_NONE {
            return Ok(Notice::Nobody);
        }
        let signal = Signal::from_raw(signal.into()).ok_or(Errno::EINVAL)?;
        match notify {
            // The library starts the thread.
            SignalEvent::SIGEV_SIGNAL | SignalEvent::SIGEV_THREAD => Ok(Notice::Queued {
                signal,
                value,
                thread: None,
            }),
            SignalEvent::SIGEV_THREAD_ID if process.thread(tid).is_some() => Ok(Notice::Queued {
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
        timers.delete(number)?;
        return Err(error);
    }
    Ok(0)
}

fn sys_timer_settime(call: &mut Call<'_>) -> Result<u64> {
    let (number, flags, new, old) = (call.uint(0), call.uint(1), call.pointer(2), call.pointer(3));
    let new = user::get_if::<Itimerspec>(new)?.ok_or(Errno::EINVAL)?;
    let value = new.value.nanoseconds()?;
    let timer = call.thread.process.timers.created(number)?;
    let absolute = TimerFlags::from_bits_retain(flags).contains(TimerFlags::TIMER_ABSTIME);
    let next = match absolute && value != 0 {
        true => Some(timer.clock.deadline(value)),
        false => armed(value),
    };
    let before = timer.set(next, new.interval.nanoseconds()?)?;
    user::put_if(old, &itimerspec(before))?;
    Ok(0)
}

fn sys_timer_gettime(call: &mut Call<'_>) -> Result<u64> {
    let timer = call.thread.process.timers.created(call.uint(0))?;
    user::put(call.pointer(1), &itimerspec(timer.get()))?;
    Ok(0)
}

fn sys_timer_getoverrun(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.timers.created(call.uint(0))?.overrun().into())
}

fn sys_timer_delete(call: &mut Call<'_>) -> Result<u64> {
    let (process, number) = (&call.thread.process, call.uint(0));
    process.timers.delete(number)?;
    process.pending.lock().remove_of_timer(number);
    for thread in process.threads() {
        thread.signals.lock().pending.remove_of_timer(number);
    }
    Ok(0)
}

fn itimerspec((left, interval): (u64, u64)) -> Itimerspec {
    Itimerspec {
        interval: Timespec::of(interval),
        value: Timespec::of(left),
    }
}
