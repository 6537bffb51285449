//! chroot.

use kobject::Result;
use libos_fs::At;
use linux_abi::{AtFlags, Capabilities};

use super::Call;
use super::path::context;
use super::table::Row;
use crate::container;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(161, "chroot", sys_chroot, "s")];

fn sys_chroot(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    let directory = container()
        .vfs
        .directory(&context(call), At::Cwd, &path, AtFlags::empty())?;
    let mut context = call.thread.process.context.lock();
    context.credentials.require(Capabilities::CAP_SYS_CHROOT)?;
    context.root = directory;
    Ok(0)
}
