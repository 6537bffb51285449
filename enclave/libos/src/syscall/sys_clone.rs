//! clone, clone3, fork, vfork.

use kobject::{Errno, Result};
use linux_abi::CloneFlags;
use linux_abi::Signal;
use linux_abi::clone::{CLONE_ARGS_SIZE_VER0, CSIGNAL};

use super::Call;
use super::table::Row;
use crate::process::clone::{CloneRequest, clone};
use crate::uapi::CloneArgs;
use crate::user;

const NOTE: &str = "no namespaces; CLONE_THREAD is EINVAL without CLONE_FS and CLONE_FILES; without CLONE_VM, the memory is copied at once";

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(56, "clone", sys_clone, "xxxxx", NOTE),
    Row::full(57, "fork", sys_fork, ""),
    Row::full(58, "vfork", sys_vfork, ""),
    Row::partial(435, "clone3", sys_clone3, "xd", NOTE),
];

fn sys_fork(call: &mut Call<'_>) -> Result<u64> {
    start(call, plain(CloneFlags::empty()))
}

fn sys_vfork(call: &mut Call<'_>) -> Result<u64> {
    start(call, plain(CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK))
}

fn plain(flags: CloneFlags) -> CloneRequest {
    CloneRequest {
        flags,
        exit_signal: Signal::SIGCHLD.raw().into(),
        stack: 0,
        parent_tid: 0,
        pidfd: 0,
        child_tid: 0,
        tls: 0,
    }
}

fn sys_clone(call: &mut Call<'_>) -> Result<u64> {
    let (flags, stack, parent_tid, child_tid, tls) = (
        call.ulong(0),
        call.pointer(1),
        call.pointer(2),
        call.pointer(3),
        call.ulong(4),
    );
    let exit_signal = (flags & CSIGNAL) as u32;
    let flags = CloneFlags::from_bits(flags & !CSIGNAL).ok_or(Errno::EINVAL)?;
    start(
        call,
        CloneRequest {
            flags,
            exit_signal,
            stack,
            parent_tid,
            // The same place: CLONE_PIDFD and CLONE_PARENT_SETTID exclude each other here.
            pidfd: parent_tid,
            child_tid,
            tls,
        },
    )
}

fn sys_clone3(call: &mut Call<'_>) -> Result<u64> {
    let (at, size) = (call.pointer(0), call.len(1));
    let args: CloneArgs = user::get_extensible(at, size, CLONE_ARGS_SIZE_VER0)?;
    let stack = match (args.stack, args.stack_size) {
        (0, 0) => 0,
        (0, _) | (_, 0) => return Err(Errno::EINVAL),
        (stack, size) => stack.checked_add(size).ok_or(Errno::EINVAL)?,
    };
    let flags = CloneFlags::from_bits(args.flags).ok_or(Errno::EINVAL)?;
    // In clone(2) these bits are not flags.
    let exit_signal = u32::try_from(args.exit_signal).map_err(|_| Errno::EINVAL)?;
    let is_thread = flags.contains(CloneFlags::CLONE_THREAD);
    let is_wrong = exit_signal > Signal::COUNT as u32 || (is_thread && exit_signal != 0);
    if is_wrong || args.set_tid_size != 0 {
        return Err(Errno::EINVAL);
    }
    let request = CloneRequest {
        flags,
        exit_signal,
        stack,
        parent_tid: args.parent_tid,
        pidfd: args.pidfd,
        child_tid: args.child_tid,
        tls: args.tls,
    };
    start(call, request)
}

fn start(call: &mut Call<'_>, request: CloneRequest) -> Result<u64> {
    let state = call.frame.whole();
    Ok(clone(call.thread, &request, state)?.into())
}
