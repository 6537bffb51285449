//! mknod, mknodat.

use kobject::Result;
use libos_fs::NewNode;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(133, "mknod", sys_mknod, "sxx"),
    Row::full(259, "mknodat", sys_mknodat, "dsxx"),
];

fn sys_mknod(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, AT_FDCWD as u64, call.args[0], call.args[1], call.args[2])
}

fn sys_mknodat(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, call.args[0], call.args[1], call.args[2], call.args[3])
}

fn make_node(call: &Call<'_>, fd: u64, path: u64, mode: u64, device: u64) -> Result<u64> {
    let path = user::get_path(path)?;
    let node = NewNode::of_mode(mode as u32, device)?;
    at(call, fd, &path, |at| {
        container()
            .vfs
            .make_node(&context(call), at, &path, node, mode as u32)
    })?;
    Ok(0)
}
