//! mknod, mknodat.

use kobject::Result;
use libos_fs::NewNode;

use super::Call;
use super::path::{AT_FDCWD, at, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(133, "mknod", sys_mknod, "sxx"),
    Row::full(259, "mknodat", sys_mknodat, "dsxx"),
];

fn sys_mknod(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, AT_FDCWD, call.pointer(0), call.uint(1), call.uint(2))
}

fn sys_mknodat(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, call.fd(0), call.pointer(1), call.uint(2), call.uint(3))
}

fn make_node(call: &Call<'_>, fd: Fd, path: Address, mode: u32, device: u32) -> Result<u64> {
    let path = user::get_path(path)?;
    let node = NewNode::of_mode(mode, device.into())?;
    at(call, fd, &path, |at| {
        container().vfs().make_node(&context(call), at, &path, node, mode)
    })?;
    Ok(0)
}
