//! access, faccessat, faccessat2.

use kobject::{Credentials, Errno, Result, credentials::AccessMode};

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(21, "access", sys_access, "sx"),
    Row::full(269, "faccessat", sys_faccessat, "dsx"),
    Row::full(439, "faccessat2", sys_faccessat2, "dsxx"),
];

fn access(call: &Call<'_>, fd: u64, path: u64, mode: u64, flags: u64) -> Result<u64> {
    const AT_EACCESS: u64 = 0x200;
    if mode & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    let at_flags = at_flags(flags & !AT_EACCESS, EITHER)?;
    let path = user::get_path(path)?;
    let context = context(call);
    // With the real identities, unless the effective ones are asked for.
    let mut credentials = Credentials::clone(&context.credentials);
    if flags & AT_EACCESS == 0 {
        credentials.uid[3] = credentials.uid[0];
        credentials.gid[3] = credentials.gid[0];
    }
    let credentials = alloc::sync::Arc::new(credentials);
    let mode = AccessMode(mode as u32);
    at(call, fd, &path, |at| {
        container()
            .vfs
            .access(&context, at, &path, mode, at_flags, &credentials)
    })?;
    Ok(0)
}

fn sys_access(call: &mut Call<'_>) -> Result<u64> {
    access(call, AT_FDCWD as u64, call.args[0], call.args[1], 0)
}

fn sys_faccessat(call: &mut Call<'_>) -> Result<u64> {
    access(call, call.args[0], call.args[1], call.args[2], 0)
}

fn sys_faccessat2(call: &mut Call<'_>) -> Result<u64> {
    access(call, call.args[0], call.args[1], call.args[2], call.args[3])
}
