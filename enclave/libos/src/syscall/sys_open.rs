//! open, creat, openat, openat2.

use kobject::Result;
use libos_fs::OpenHow;
use linux_abi::OpenFlags;
use linux_abi::open::OPEN_HOW_SIZE_VER0;

use super::Call;
use super::new_descriptor::add_open;
use super::path::{AT_FDCWD, at, context};
use super::table::{Restart, Row};
use crate::process::descriptors::{Fd, OnExec};
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(2, "open", sys_open, "sxx").restarts(Restart::WithFlag),
    Row::full(85, "creat", sys_creat, "sx").restarts(Restart::WithFlag),
    Row::full(257, "openat", sys_openat, "dsxx").restarts(Restart::WithFlag),
    Row::full(437, "openat2", sys_openat2, "dsxd").restarts(Restart::WithFlag),
];

fn open(call: &Call<'_>, fd: Fd, path: Address, how: OpenHow, on_exec: OnExec) -> Result<u64> {
    let path = user::get_path(path)?;
    let file = call.thread.retry_interrupted(|| {
        at(call, fd, &path, |at| {
            container().vfs().open(&context(call), at, &path, how)
        })
    })?;
    Ok(add_open(&call.thread.process, file, on_exec)?.into())
}

fn on_exec(flags: u32) -> OnExec {
    OnExec::of(OpenFlags::from_bits_retain(flags).contains(OpenFlags::O_CLOEXEC))
}

fn sys_open(call: &mut Call<'_>) -> Result<u64> {
    let (path, flags, mode) = (call.pointer(0), call.uint(1), call.uint(2));
    open(call, AT_FDCWD, path, OpenHow::open(flags, mode)?, on_exec(flags))
}

fn sys_creat(call: &mut Call<'_>) -> Result<u64> {
    let flags = OpenFlags::O_CREAT | OpenFlags::O_WRONLY | OpenFlags::O_TRUNC;
    let (path, mode) = (call.pointer(0), call.uint(1));
    open(
        call,
        AT_FDCWD,
        path,
        OpenHow::open(flags.bits(), mode)?,
        OnExec::Keep,
    )
}

fn sys_openat(call: &mut Call<'_>) -> Result<u64> {
    let (fd, path, flags, mode) = (call.fd(0), call.pointer(1), call.uint(2), call.uint(3));
    open(call, fd, path, OpenHow::open(flags, mode)?, on_exec(flags))
}

fn sys_openat2(call: &mut Call<'_>) -> Result<u64> {
    let (fd, path, how, size) = (call.fd(0), call.pointer(1), call.pointer(2), call.len(3));
    // struct open_how: flags, mode, resolve.
    let [flags, mode, resolve]: [u64; 3] = user::get_extensible(how, size, OPEN_HOW_SIZE_VER0)?;
    open(
        call,
        fd,
        path,
        OpenHow::open2(flags, mode, resolve)?,
        on_exec(flags as u32),
    )
}
