//! rename, renameat, renameat2.

use kobject::{Errno, Result};
use libos_fs::RenameFlags;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
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
        (AT_FDCWD as u64, call.args[0]),
        (AT_FDCWD as u64, call.args[1]),
        0,
    )
}

fn sys_renameat(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        0,
    )
}

fn sys_renameat2(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        call.args[4],
    )
}

fn rename(call: &Call<'_>, from: (u64, u64), to: (u64, u64), flags: u64) -> Result<u64> {
    let flags = RenameFlags::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs
                .rename(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}
