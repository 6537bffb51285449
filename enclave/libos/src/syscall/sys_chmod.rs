//! chmod, fchmod, fchmodat, fchmodat2.

use kobject::Result;
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::container;
use crate::process::descriptors::Fd;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(90, "chmod", sys_chmod, "sx"),
    Row::full(91, "fchmod", sys_fchmod, "dx"),
    Row::full(268, "fchmodat", sys_fchmodat, "dsx"),
    Row::full(452, "fchmodat2", sys_fchmodat2, "dsxx"),
];

fn sys_chmod(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    change_mode(call, AT_FDCWD, &path, call.uint(1), AtFlags::empty())
}

fn sys_fchmod(call: &mut Call<'_>) -> Result<u64> {
    call.file(call.fd(0))?;
    change_mode(call, call.fd(0), b"", call.uint(1), AtFlags::AT_EMPTY_PATH)
}

fn sys_fchmodat(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(1)?;
    change_mode(call, call.fd(0), &path, call.uint(2), AtFlags::empty())
}

fn sys_fchmodat2(call: &mut Call<'_>) -> Result<u64> {
    let flags = at_flags(call.uint(3), EITHER)?;
    let path = call.path(1)?;
    change_mode(call, call.fd(0), &path, call.uint(2), flags)
}

fn change_mode(call: &Call<'_>, fd: Fd, path: &[u8], mode: u32, flags: AtFlags) -> Result<u64> {
    at(call, fd, path, |at| {
        container()
            .vfs()
            .change_mode(&context(call), at, path, mode, flags)
    })?;
    Ok(0)
}
