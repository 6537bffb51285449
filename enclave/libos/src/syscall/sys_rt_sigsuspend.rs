//! rt_sigsuspend, pause.

use kobject::{Errno, Result, Waiter};

use super::Call;
use super::signal_mask::{mask_argument, with_mask};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(130, "rt_sigsuspend", sys_rt_sigsuspend, "xd"),
    Row::full(34, "pause", sys_pause, ""),
];

fn sys_rt_sigsuspend(call: &mut Call<'_>) -> Result<u64> {
    let mask = mask_argument(call.pointer(0), call.len(1))?.ok_or(Errno::EFAULT)?;
    with_mask(call, Some(mask), wait_for_signal)
}

fn sys_pause(call: &mut Call<'_>) -> Result<u64> {
    wait_for_signal(call)
}

fn wait_for_signal(call: &mut Call<'_>) -> Result<u64> {
    let waiter = Waiter::new();
    loop {
        call.thread.retry_interrupted(|| waiter.sleep(None))?;
    }
}
