//! chdir, fchdir, getcwd.

use kobject::{Errno, Result};
use libos_fs::At;
use linux_abi::AtFlags;

use super::Call;
use super::path::context;
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(80, "chdir", sys_chdir, "s"),
    Row::full(81, "fchdir", sys_fchdir, "d"),
    Row::full(79, "getcwd", sys_getcwd, "xd"),
];

fn sys_chdir(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    let directory = container()
        .vfs()
        .directory(&context(call), At::Cwd, &path, AtFlags::empty())?;
    call.thread.process.place.lock().cwd = directory;
    Ok(0)
}

fn sys_fchdir(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file_or_path(call.fd(0))?;
    let directory =
        container()
            .vfs()
            .directory(&context(call), At::Descriptor(&file), b"", AtFlags::AT_EMPTY_PATH)?;
    call.thread.process.place.lock().cwd = directory;
    Ok(0)
}

fn sys_getcwd(call: &mut Call<'_>) -> Result<u64> {
    let (at, room) = (call.pointer(0), call.len(1));
    let mut path = container().vfs().working_directory(&context(call))?;
    path.push(0);
    if path.len() > room {
        return Err(Errno::ERANGE);
    }
    user::put_bytes(at, &path)?;
    Ok(path.len() as u64)
}
