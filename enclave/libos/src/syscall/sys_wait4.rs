//! wait4, waitid.

use core::cmp;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::{OpenFlags, Signal, WaitFlags, WaitTarget};

use super::table::{Restart, Row};
use super::{Call, sys_pidfd};
use crate::process::wait::{Report, Target, wait};
use crate::signal::SignalInfo;
use crate::uapi::{Rusage, Timeval};
use crate::user;

const NOTE: &str = "of the resource usage only CPU time, all of it as user time";

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(61, "wait4", sys_wait4, "dxxx", NOTE).restarts(Restart::WithFlag),
    Row::partial(247, "waitid", sys_waitid, "ddxxx", NOTE).restarts(Restart::WithFlag),
];

/// In place of a child: any (wait4(2); it has no name).
const ANY_CHILD: i32 = -1;

fn own_group(call: &Call<'_>) -> Target {
    Target::Group(call.thread.process.group.load(Ordering::Relaxed))
}

fn sys_wait4(call: &mut Call<'_>) -> Result<u64> {
    const ALLOWED: WaitFlags = WaitFlags::WNOHANG
        .union(WaitFlags::WSTOPPED)
        .union(WaitFlags::WCONTINUED)
        .union(WaitFlags::__WNOTHREAD)
        .union(WaitFlags::__WCLONE)
        .union(WaitFlags::__WALL);
    let (pid, status_at, usage_at) = (call.int(0), call.pointer(1), call.pointer(3));
    let flags = call.flags::<WaitFlags>(2)?;
    if !ALLOWED.contains(flags) {
        return Err(Errno::EINVAL);
    }
    if pid == i32::MIN {
        return Err(Errno::ESRCH);
    }
    let target = match pid.cmp(&0) {
        cmp::Ordering::Greater => Target::Process(pid.unsigned_abs()),
        cmp::Ordering::Equal => own_group(call),
        cmp::Ordering::Less if pid == ANY_CHILD => Target::Any,
        cmp::Ordering::Less => Target::Group(pid.unsigned_abs()),
    };
    let Some(report) = wait(call.thread, target, flags | WaitFlags::WEXITED)? else {
        return Ok(0);
    };
    // What was learned is lost if it cannot be written, as on Linux.
    user::put_if(status_at, &u32::from(report.status.raw()))?;
    user::put_if(usage_at, &usage(&report))?;
    Ok(report.child.pid.into())
}

fn sys_waitid(call: &mut Call<'_>) -> Result<u64> {
    let info_at = call.pointer(2);
    let waited = wait_for_id(call);
    // Also when there is nothing to tell, and whatever went wrong.
    if info_at != 0 && !matches!(waited, Err(Errno::EINTR)) {
        put_info(info_at, waited.as_ref().ok().and_then(Option::as_ref))?;
    }
    waited.map(|_| 0)
}

fn wait_for_id(call: &Call<'_>) -> Result<Option<Report>> {
    const ALLOWED: WaitFlags = WaitFlags::all();
    const WHAT: WaitFlags = WaitFlags::WEXITED
        .union(WaitFlags::WSTOPPED)
        .union(WaitFlags::WCONTINUED);
    let (number, usage_at) = (call.int(1), call.pointer(4));
    let flags = call.flags::<WaitFlags>(3)?;
    if !ALLOWED.contains(flags) || !flags.intersects(WHAT) {
        return Err(Errno::EINVAL);
    }
    // PIDFD_NONBLOCK: as WNOHANG, but with an error.
    let mut is_nonblocking = false;
    let target = match WaitTarget(call.uint(0)) {
        WaitTarget::P_ALL => Target::Any,
        WaitTarget::P_PID if number > 0 => Target::Process(number.unsigned_abs()),
        WaitTarget::P_PGID if number == 0 => own_group(call),
        WaitTarget::P_PGID if number > 0 => Target::Group(number.unsigned_abs()),
        WaitTarget::P_PIDFD if number >= 0 => {
            let (process, opened) = sys_pidfd::named(call, number.unsigned_abs())?;
            is_nonblocking = opened.contains(OpenFlags::O_NONBLOCK) && !flags.contains(WaitFlags::WNOHANG);
            Target::Process(process.pid)
        }
        _ => return Err(Errno::EINVAL),
    };
    let now = match is_nonblocking {
        true => WaitFlags::WNOHANG,
        false => WaitFlags::empty(),
    };
    let report = match wait(call.thread, target, flags | now)? {
        None if is_nonblocking => return Err(Errno::EAGAIN),
        report => report,
    };
    if let Some(report) = &report {
        user::put_if(usage_at, &usage(report))?;
    }
    Ok(report)
}

/// What the child used, and its own children.
fn usage(Report { child, .. }: &Report) -> Rusage {
    Rusage {
        user: Timeval::of(child.cpu_time() + child.gone.children()),
        system: Timeval::ZERO,
        counts: [0; 14],
    }
}

/// What waitid(2) writes of `siginfo_t`: up to the status, and zeros in si_signo and si_pid if there is nothing to tell.
fn put_info(at: user::Address, report: Option<&Report>) -> Result<()> {
    let (head, fields) = match report {
        None => ([0; 3], [0; 3]),
        Some(Report { child, status }) => {
            let (code, status) = status.of_child();
            let info = SignalInfo::child(Signal::SIGCHLD, code, child.pid, child.uid(), status);
            let [who, status] = [info.fields[0], info.fields[1]];
            let fields = [who as u32, (who >> 32) as u32, status as u32];
            ([info.signal, 0, info.code], fields)
        }
    };
    user::put(at, &head)?;
    user::put(at.checked_add(16).ok_or(Errno::EFAULT)?, &fields)
}
