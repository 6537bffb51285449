//! link, linkat.

use kobject::Result;
use libos_fs::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, at, at_flags, context};
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(86, "link", sys_link, "ss"),
    Row::full(265, "linkat", sys_linkat, "dsdsx"),
];

fn sys_link(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (AT_FDCWD as u64, call.args[0]),
        (AT_FDCWD as u64, call.args[1]),
        0,
    )
}

fn sys_linkat(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        call.args[4],
    )
}

fn link(call: &Call<'_>, from: (u64, u64), to: (u64, u64), flags: u64) -> Result<u64> {
    let flags = at_flags(flags, AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs
                .link(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}
