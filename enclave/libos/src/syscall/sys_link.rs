//! link, linkat.

use kobject::Result;
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, at, at_flags, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(86, "link", sys_link, "ss"),
    Row::full(265, "linkat", sys_linkat, "dsdsx"),
];

fn sys_link(call: &mut Call<'_>) -> Result<u64> {
    link(call, (AT_FDCWD, call.pointer(0)), (AT_FDCWD, call.pointer(1)), 0)
}

fn sys_linkat(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (call.fd(0), call.pointer(1)),
        (call.fd(2), call.pointer(3)),
        call.uint(4),
    )
}

fn link(call: &Call<'_>, from: (Fd, Address), to: (Fd, Address), flags: u32) -> Result<u64> {
    let flags = at_flags(flags, AtFlags::AT_SYMLINK_FOLLOW | AtFlags::AT_EMPTY_PATH)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs()
                .link(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}
