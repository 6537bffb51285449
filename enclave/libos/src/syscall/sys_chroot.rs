//! chroot.

use kobject::Result;
use libos_fs::At;
use linux_abi::{AtFlags, Capabilities};

use super::Call;
use super::path::context;
use super::sys_setuid::with;
use super::table::Row;
use crate::container;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(161, "chroot", sys_chroot, "s")];

fn sys_chroot(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    let directory = container()
        .vfs()
        .directory(&context(call), At::Cwd, &path, AtFlags::empty())?;
    with(call, |caller| caller.require(Capabilities::CAP_SYS_CHROOT))?;
    call.thread.process.place.lock().root = directory;
    Ok(0)
}
