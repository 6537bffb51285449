//! nanosleep, clock_nanosleep.

use kobject::{Errno, Result, Waiter, clock};
use linux_abi::{ClockId, TimerFlags};

use super::Call;
use super::table::Row;
use crate::time::Clock;
use crate::uapi::Timespec;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(35, "nanosleep", sys_nanosleep, "xx"),
    Row::full(230, "clock_nanosleep", sys_clock_nanosleep, "dxxx"),
];

fn sys_nanosleep(call: &mut Call<'_>) -> Result<u64> {
    let wanted = user::get::<Timespec>(call.pointer(0))?.nanoseconds()?;
    sleep(
        call,
        clock::monotonic().saturating_add(wanted),
        Some(call.pointer(1)),
    )
}

fn sys_clock_nanosleep(call: &mut Call<'_>) -> Result<u64> {
    let (number, flags, request, remaining) = (
        ClockId(call.int(0)),
        TimerFlags::from_bits_retain(call.uint(1)),
        call.pointer(2),
        call.pointer(3),
    );
    let clock = Clock::to_wait_by(number)?;
    match clock {
        Clock::ThreadCpu(_) if number == ClockId::CLOCK_THREAD_CPUTIME_ID => return Err(Errno::EOPNOTSUPP),
        Clock::ThreadCpu(_) => return Err(Errno::EINVAL),
        _ => {}
    }
    let wanted = user::get::<Timespec>(request)?.nanoseconds()?;
    if flags.contains(TimerFlags::TIMER_ABSTIME) {
        return sleep(call, clock.deadline(wanted), None);
    }
    sleep(call, clock::monotonic().saturating_add(wanted), Some(remaining))
}

/// Sleeps until the deadline; if a signal ends it, says how long it would have gone on.
fn sleep(call: &Call<'_>, deadline: u64, remaining: Option<u64>) -> Result<u64> {
    let waiter = Waiter::new();
    loop {
        match call.thread.retry_interrupted(|| waiter.sleep(Some(deadline))) {
            Err(Errno::ETIMEDOUT) => return Ok(0),
            Err(Errno::EINTR) => {
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
