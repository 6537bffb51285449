//! access, faccessat, faccessat2.

use alloc::sync::Arc;

use kobject::{Credentials, Errno, Result, credentials::AccessMode};
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(21, "access", sys_access, "sx"),
    Row::full(269, "faccessat", sys_faccessat, "dsx"),
    Row::full(439, "faccessat2", sys_faccessat2, "dsxx"),
];

fn access(call: &Call<'_>, fd: Fd, path: Address, mode: u32, flags: u32) -> Result<u64> {
    if mode & !AccessMode::ALL.0 != 0 {
        return Err(Errno::EINVAL);
    }
    let at_flags = at_flags(flags, EITHER | AtFlags::AT_EACCESS)?;
    let path = user::get_path(path)?;
    let context = context(call);
    // With the real identities, unless the effective ones are asked for.
    let credentials = match at_flags.contains(AtFlags::AT_EACCESS) {
        true => context.credentials.clone(),
        false => Arc::new(Credentials::clone(&context.credentials).as_real()),
    };
    let mode = AccessMode(mode);
    at(call, fd, &path, |at| {
        container()
            .vfs()
            .access(&context, at, &path, mode, at_flags, &credentials)
    })?;
    Ok(0)
}

fn sys_access(call: &mut Call<'_>) -> Result<u64> {
    access(call, AT_FDCWD, call.pointer(0), call.uint(1), 0)
}

fn sys_faccessat(call: &mut Call<'_>) -> Result<u64> {
    access(call, call.fd(0), call.pointer(1), call.uint(2), 0)
}

fn sys_faccessat2(call: &mut Call<'_>) -> Result<u64> {
    access(call, call.fd(0), call.pointer(1), call.uint(2), call.uint(3))
}
