//! chown, lchown, fchown, fchownat.

use kobject::Result;
use libos_fs::Owner;
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::container;
use crate::process::descriptors::Fd;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(92, "chown", sys_chown, "sdd"),
    Row::full(94, "lchown", sys_lchown, "sdd"),
    Row::full(93, "fchown", sys_fchown, "ddd"),
    Row::full(260, "fchownat", sys_fchownat, "dsddx"),
];

fn sys_chown(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    change_owner(
        call,
        AT_FDCWD,
        &path,
        call.uint(1),
        call.uint(2),
        AtFlags::empty(),
    )
}

fn sys_lchown(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    change_owner(
        call,
        AT_FDCWD,
        &path,
        call.uint(1),
        call.uint(2),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )
}

fn sys_fchown(call: &mut Call<'_>) -> Result<u64> {
    call.file(call.fd(0))?;
    change_owner(
        call,
        call.fd(0),
        b"",
        call.uint(1),
        call.uint(2),
        AtFlags::AT_EMPTY_PATH,
    )
}

fn sys_fchownat(call: &mut Call<'_>) -> Result<u64> {
    let flags = at_flags(call.uint(4), EITHER)?;
    let path = call.path(1)?;
    change_owner(call, call.fd(0), &path, call.uint(2), call.uint(3), flags)
}

fn change_owner(call: &Call<'_>, fd: Fd, path: &[u8], uid: u32, gid: u32, flags: AtFlags) -> Result<u64> {
    let given = |id: u32| Some(id).filter(|&id| id != u32::MAX);
    let owner = Owner {
        uid: given(uid),
        gid: given(gid),
    };
    at(call, fd, path, |at| {
        container()
            .vfs()
            .change_owner(&context(call), at, path, owner, flags)
    })?;
    Ok(0)
}
