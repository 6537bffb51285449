//! rename, renameat, renameat2.

use kobject::Result;
use linux_abi::RenameFlags;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(82, "rename", sys_rename, "ss"),
    Row::full(264, "renameat", sys_renameat, "dsds"),
    Row::full(316, "renameat2", sys_renameat2, "dsdsx"),
];

fn sys_rename(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (AT_FDCWD, call.pointer(0)),
        (AT_FDCWD, call.pointer(1)),
        RenameFlags::empty(),
    )
}

fn sys_renameat(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.fd(0), call.pointer(1)),
        (call.fd(2), call.pointer(3)),
        RenameFlags::empty(),
    )
}

fn sys_renameat2(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.fd(0), call.pointer(1)),
        (call.fd(2), call.pointer(3)),
        call.flags(4)?,
    )
}

fn rename(call: &Call<'_>, from: (Fd, Address), to: (Fd, Address), flags: RenameFlags) -> Result<u64> {
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs()
                .rename(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}
