//! getrusage, times.

use kobject::{Errno, Result, clock};
use linux_abi::UsageTarget;
use linux_abi::time::USER_HZ;

use super::Call;
use super::table::Row;
use crate::uapi::{Rusage, Timeval, Tms};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        98,
        "getrusage",
        sys_getrusage,
        "dx",
        "CPU time is the time that threads did not wait, all of it as user time",
    ),
    Row::partial(100, "times", sys_times, "x", "as getrusage"),
];

fn sys_getrusage(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    let (user, children) = match UsageTarget(call.int(0)) {
        UsageTarget::RUSAGE_SELF => (process.cpu_time(), false),
        UsageTarget::RUSAGE_THREAD => (call.thread.cpu.total(), false),
        UsageTarget::RUSAGE_CHILDREN => (process.gone.children(), true),
        _ => return Err(Errno::EINVAL),
    };
    let mut counts = [0; 14];
    if !children {
        // ru_maxrss, in KiB
        counts[0] = (call.thread.process.space().size().1 / 1024) as i64;
    }
    let usage = Rusage {
        user: Timeval::of(user),
        system: Timeval::of(0),
        counts,
    };
    user::put(call.pointer(1), &usage)?;
    Ok(0)
}

fn sys_times(call: &mut Call<'_>) -> Result<u64> {
    /// Nanoseconds of a clock tick.
    const TICK: u64 = clock::SECOND / USER_HZ;
    let process = &call.thread.process;
    let user = (process.cpu_time() / TICK) as i64;
    user::put_if(
        call.pointer(0),
        &Tms {
            user,
            system: 0,
            children_user: (process.gone.children() / TICK) as i64,
            children_system: 0,
        },
    )?;
    Ok(clock::monotonic() / TICK)
}
