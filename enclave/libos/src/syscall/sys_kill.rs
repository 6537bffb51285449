//! Sending signals: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::{Capabilities, Signal, SignalCode};

use super::Call;
use super::table::Row;
use crate::process::{Process, table};
use crate::signal::{SignalInfo, send};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(62, "kill", sys_kill, "dd"),
    Row::full(200, "tkill", sys_tkill, "dd"),
    Row::full(234, "tgkill", sys_tgkill, "ddd"),
    Row::full(129, "rt_sigqueueinfo", sys_rt_sigqueueinfo, "ddx"),
    Row::full(297, "rt_tgsigqueueinfo", sys_rt_tgsigqueueinfo, "dddx"),
];

fn sys_kill(call: &mut Call<'_>) -> Result<u64> {
    let pid = call.int(0);
    let signal = signal_argument(call.uint(1))?;
    let process = &call.thread.process;
    let targets: Vec<Arc<Process>> = match pid.cmp(&0) {
        cmp::Ordering::Greater => table::process(pid.unsigned_abs()).into_iter().collect(),
        cmp::Ordering::Equal => in_group(process.group.load(Ordering::Relaxed)),
        cmp::Ordering::Less if pid == EVERYONE => table::processes()
            .into_iter()
            .filter(|other| other.pid != table::INIT && other.pid != process.pid)
            .collect(),
        cmp::Ordering::Less => in_group(pid.unsigned_abs()),
    };
    if targets.is_empty() {
        return Err(Errno::ESRCH);
    }
    let mut result = Err(Errno::EPERM);
    for target in &targets {
        if may_signal(call, target).is_ok() {
            result = Ok(0);
            if let Some(signal) = signal {
                let info = SignalInfo::sent(signal, SignalCode::SI_USER, process.pid, call.thread.uid());
                send::to_process(target, info)?;
            }
        }
    }
    result
}

/// In place of a process: all that may be signalled, but for the caller and the first (kill(2); it has no name).
const EVERYONE: i32 = -1;

fn in_group(group: u32) -> Vec<Arc<Process>> {
    let all = table::processes().into_iter();
    all.filter(|process| process.group.load(Ordering::Relaxed) == group)
        .collect()
}

fn sys_tkill(call: &mut Call<'_>) -> Result<u64> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(call, None, call.uint(0), call.uint(1))
}

fn sys_tgkill(call: &mut Call<'_>) -> Result<u64> {
    if call.int(0) <= 0 || call.int(1) <= 0 {
        return Err(Errno::EINVAL);
    }
    signal_thread(call, Some(call.uint(0)), call.uint(1), call.uint(2))
}

fn signal_thread(call: &Call<'_>, group: Option<u32>, tid: u32, raw: u32) -> Result<u64> {
    let signal = signal_argument(raw)?;
    let thread = table::thread(tid).ok_or(Errno::ESRCH)?;
    if group.is_some_and(|group| group != thread.process.pid) {
        return Err(Errno::ESRCH);
    }
    may_signal(call, &thread.process)?;
    if let Some(signal) = signal {
        let process = &call.thread.process;
        send::to_thread(
            &thread,
            SignalInfo::sent(signal, SignalCode::SI_TKILL, process.pid, call.thread.uid()),
        )?;
    }
    Ok(0)
}

fn sys_rt_sigqueueinfo(call: &mut Call<'_>) -> Result<u64> {
    let (pid, raw, at) = (call.uint(0), call.uint(1), call.pointer(2));
    let info = queued_info(call, at, raw, pid)?;
    // The number of any thread stands for its process.
    let of_thread = || Some(table::thread(pid)?.process.clone());
    let process = table::process(pid).or_else(of_thread).ok_or(Errno::ESRCH)?;
    may_signal(call, &process)?;
    info.map_or(Ok(()), |info| send::to_process(&process, info))?;
    Ok(0)
}

fn sys_rt_tgsigqueueinfo(call: &mut Call<'_>) -> Result<u64> {
    let (pid, tid, raw, at) = (call.uint(0), call.uint(1), call.uint(2), call.pointer(3));
    let info = queued_info(call, at, raw, pid)?;
    let thread = table::thread(tid).filter(|thread| thread.process.pid == pid);
    let thread = thread.ok_or(Errno::ESRCH)?;
    may_signal(call, &thread.process)?;
    info.map_or(Ok(()), |info| send::to_thread(&thread, info))?;
    Ok(0)
}

/// The information that a program sends along: it may not pretend to be the kernel or kill.
pub(super) fn queued_info(call: &Call<'_>, at: u64, raw: u32, pid: u32) -> Result<Option<SignalInfo>> {
    let signal = signal_argument(raw)?;
    let mut info: SignalInfo = user::get(at)?;
    let own = pid == call.thread.process.pid;
    if (info.code >= 0 || info.code == SignalCode::SI_TKILL.0) && !own {
        return Err(Errno::EPERM);
    }
    Ok(signal.map(|signal| {
        info.signal = signal.raw().into();
        info
    }))
}

/// A signal's argument: `None` for 0, which only checks.
pub(super) fn signal_argument(raw: u32) -> Result<Option<Signal>> {
    if raw == 0 {
        return Ok(None);
    }
    Signal::from_raw(raw.into()).map(Some).ok_or(Errno::EINVAL)
}

pub(super) fn may_signal(call: &Call<'_>, target: &Process) -> Result<()> {
    let sender = call.thread.credentials();
    let target = target.credentials();
    let allowed = sender.has(Capabilities::CAP_KILL)
        || [sender.uid[0], sender.uid[1]]
            .iter()
            .any(|id| [target.uid[0], target.uid[2]].contains(id));
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}
