//! Descriptors of processes: pidfd_open, pidfd_send_signal, pidfd_getfd, process_mrelease.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use kobject::{Description, Errno, Result};
use linux_abi::capability::Capabilities;
use linux_abi::{OpenFlags, SignalCode};

use super::Call;
use super::new_descriptor::{add, add_open};
use super::sys_kill::{may_signal, queued_info, signal_argument};
use super::table::Row;
use crate::process::descriptors::{Fd, OnExec};
use crate::process::pidfd::PidFd;
use crate::process::{Process, table};
use crate::signal::{SignalInfo, send};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        434,
        "pidfd_open",
        sys_pidfd_open,
        "dx",
        "no PIDFD_THREAD: a descriptor names a process",
    ),
    Row::full(424, "pidfd_send_signal", sys_pidfd_send_signal, "ddxx"),
    Row::full(438, "pidfd_getfd", sys_pidfd_getfd, "ddx"),
    Row::full(448, "process_mrelease", sys_process_mrelease, "dx"),
];

/// The process that a descriptor names; EBADF for another kind of descriptor.
pub(super) fn process_of(call: &Call<'_>, fd: Fd) -> Result<Arc<Process>> {
    Ok(named(call, fd)?.0)
}

/// As [`process_of`], with the flags of the open file.
pub(super) fn named(call: &Call<'_>, fd: Fd) -> Result<(Arc<Process>, OpenFlags)> {
    let file = call.file(fd)?;
    let named = file.object_as::<PidFd>().ok_or(Errno::EBADF)?;
    Ok((named.0.clone(), file.flags()))
}

/// As [`process_of`], also of a directory of `/proc`; ESRCH if it is gone.
fn signalled(call: &Call<'_>, fd: Fd) -> Result<Arc<Process>> {
    match libos_fs::process_of_directory(&*call.file(fd)?) {
        Some(pid) => table::process(pid).ok_or(Errno::ESRCH),
        None => process_of(call, fd),
    }
}

/// Opens a descriptor of a process for `caller`. It is closed by exec, as all of them are.
pub(crate) fn open(caller: &Process, process: Arc<Process>, flags: OpenFlags) -> Result<Fd> {
    add(
        caller,
        Arc::new(PidFd(process)),
        OpenFlags::O_RDWR | flags,
        OnExec::Close,
    )
}

fn sys_pidfd_open(call: &mut Call<'_>) -> Result<u64> {
    let (pid, flags) = (call.int(0), OpenFlags::from_bits_retain(call.uint(1)));
    if !OpenFlags::O_NONBLOCK.contains(flags) || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let process = table::process(pid.unsigned_abs());
    let process = process.ok_or_else(|| match table::thread(pid.unsigned_abs()) {
        // A thread that is not the first of its process.
        Some(_) => Errno::EINVAL,
        None => Errno::ESRCH,
    })?;
    Ok(open(&call.thread.process, process, flags)?.into())
}

fn sys_pidfd_send_signal(call: &mut Call<'_>) -> Result<u64> {
    let (fd, raw, info_at, flags) = (call.fd(0), call.uint(1), call.pointer(2), call.uint(3));
    // None before Linux 6.9.
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let target = signalled(call, fd)?;
    let info = if info_at == 0 {
        signal_argument(raw)?.map(|signal| {
            let sender = call.thread;
            SignalInfo::sent(signal, SignalCode::SI_USER, sender.process.pid, sender.uid())
        })
    } else {
        // Here the number in the information is not overwritten (copy_siginfo_from_user_any of the kernel).
        if user::get::<u32>(info_at)? != raw {
            return Err(Errno::EINVAL);
        }
        queued_info(call, info_at, raw, target.pid)?
    };
    if target.is_zombie.load(Ordering::Acquire) && table::process(target.pid).is_none() {
        return Err(Errno::ESRCH);
    }
    may_signal(call, &target)?;
    info.map_or(Ok(()), |info| send::to_process(&target, info))?;
    Ok(0)
}

fn sys_pidfd_getfd(call: &mut Call<'_>) -> Result<u64> {
    let (fd, wanted, flags) = (call.fd(0), call.fd(1), call.uint(2));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let target = process_of(call, fd)?;
    // As for ptrace(2): the same users and groups, in all roles.
    let (ours, theirs) = (call.thread.credentials(), target.credentials());
    let is_same = theirs.uid.iter().take(3).all(|&id| id == ours.uid[0])
        && theirs.gid.iter().take(3).all(|&id| id == ours.gid[0]);
    if !is_same && !ours.has(Capabilities::CAP_SYS_PTRACE) {
        return Err(Errno::EPERM);
    }
    if target.is_zombie.load(Ordering::Acquire) {
        return Err(Errno::ESRCH);
    }
    let file: Arc<Description> = target.descriptors.with(|table| table.find(wanted).cloned())?;
    Ok(add_open(&call.thread.process, file, OnExec::Close)?.into())
}

/// A process that is ending gives its memory back by itself.
fn sys_process_mrelease(call: &mut Call<'_>) -> Result<u64> {
    let (fd, flags) = (call.fd(0), call.uint(1));
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let target = process_of(call, fd)?;
    if target.is_zombie.load(Ordering::Acquire) {
        return Err(Errno::ESRCH);
    }
    match target.ending.status() {
        Some(_) => Ok(0),
        None => Err(Errno::EINVAL),
    }
}
