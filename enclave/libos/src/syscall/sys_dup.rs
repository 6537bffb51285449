//! dup, dup2, dup3; and F_DUPFD of fcntl, which is their general form.

use kobject::{Errno, Result};
use linux_abi::OpenFlags;

use super::Call;
use super::new_descriptor::limit;
use super::table::Row;
use crate::process::descriptors::OnExec;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(32, "dup", sys_dup, "d"),
    Row::full(33, "dup2", sys_dup2, "dd"),
    Row::full(292, "dup3", sys_dup3, "ddx"),
];

fn sys_dup(call: &mut Call<'_>) -> Result<u64> {
    duplicate(call, 0, OnExec::Keep)
}

pub(super) fn duplicate(call: &Call<'_>, from: u32, on_exec: OnExec) -> Result<u64> {
    let file = call.file_or_path(call.fd(0))?;
    let process = &call.thread.process;
    let limit = limit(process);
    let fd = process
        .descriptors
        .with(|table| table.add(&file, on_exec, from, limit))?;
    Ok(fd.into())
}

fn sys_dup2(call: &mut Call<'_>) -> Result<u64> {
    if call.fd(0) == call.fd(1) {
        call.file_or_path(call.fd(0))?;
        return Ok(call.fd(1).into());
    }
    replace(call, OnExec::Keep)
}

fn sys_dup3(call: &mut Call<'_>) -> Result<u64> {
    let flags: OpenFlags = call.flags(2)?;
    if call.fd(0) == call.fd(1) || !OpenFlags::O_CLOEXEC.contains(flags) {
        return Err(Errno::EINVAL);
    }
    replace(call, OnExec::of(!flags.is_empty()))
}

fn replace(call: &Call<'_>, on_exec: OnExec) -> Result<u64> {
    let file = call.file_or_path(call.fd(0))?;
    let process = &call.thread.process;
    let fd = call.fd(1);
    if u64::from(fd) >= limit(process) {
        return Err(Errno::EBADF);
    }
    let old = process.descriptors.with(|table| table.replace(fd, file, on_exec));
    if let Some(old) = old {
        process.forget_file(&old);
    }
    Ok(fd.into())
}
