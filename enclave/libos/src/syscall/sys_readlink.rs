//! readlink, readlinkat.

use kobject::{Errno, Result};

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(89, "readlink", sys_readlink, "sxd"),
    Row::full(267, "readlinkat", sys_readlinkat, "dsxd"),
];

fn sys_readlink(call: &mut Call<'_>) -> Result<u64> {
    read_link(call, AT_FDCWD, call.pointer(0), call.pointer(1), call.int(2))
}

fn sys_readlinkat(call: &mut Call<'_>) -> Result<u64> {
    read_link(call, call.fd(0), call.pointer(1), call.pointer(2), call.int(3))
}

fn read_link(call: &Call<'_>, fd: Fd, path: Address, out: Address, room: i32) -> Result<u64> {
    let room = usize::try_from(room)
        .ok()
        .filter(|&room| room > 0)
        .ok_or(Errno::EINVAL)?;
    let path = user::get_path(path)?;
    let target = at(call, fd, &path, |at| {
        container().vfs().read_link(&context(call), at, &path)
    })?;
    let given = target.get(..room.min(target.len())).unwrap_or_default();
    user::put_bytes(out, given)?;
    Ok(given.len() as u64)
}
