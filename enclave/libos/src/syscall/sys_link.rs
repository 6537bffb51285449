//! Names in directories: mkdir, mknod, unlink, rename, link, symlink, readlink, in their older and newer forms.

use kobject::{Errno, Result};
use libos_fs::{At, AtFlags, NewNode, RenameFlags};

use super::Call;
use super::path::{AT_FDCWD, at, at_flags, context};
use super::table::Row;
use crate::container;
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(83, "mkdir", sys_mkdir, "sx"),
    Row::full(258, "mkdirat", sys_mkdirat, "dsx"),
    Row::full(133, "mknod", sys_mknod, "sxx"),
    Row::full(259, "mknodat", sys_mknodat, "dsxx"),
    Row::full(84, "rmdir", sys_rmdir, "s"),
    Row::full(87, "unlink", sys_unlink, "s"),
    Row::full(263, "unlinkat", sys_unlinkat, "dsx"),
    Row::full(82, "rename", sys_rename, "ss"),
    Row::full(264, "renameat", sys_renameat, "dsds"),
    Row::full(316, "renameat2", sys_renameat2, "dsdsx"),
    Row::full(86, "link", sys_link, "ss"),
    Row::full(265, "linkat", sys_linkat, "dsdsx"),
    Row::full(88, "symlink", sys_symlink, "ss"),
    Row::full(266, "symlinkat", sys_symlinkat, "sds"),
    Row::full(89, "readlink", sys_readlink, "sxd"),
    Row::full(267, "readlinkat", sys_readlinkat, "dsxd"),
];

fn make_directory(call: &Call<'_>, fd: u64, path: u64, mode: u64) -> Result<u64> {
    let path = user::get_path(path)?;
    at(call, fd, &path, |at| {
        container()
            .vfs
            .make_directory(&context(call), at, &path, mode as u32)
    })?;
    Ok(0)
}

fn sys_mkdir(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, AT_FDCWD as u64, call.args[0], call.args[1])
}

fn sys_mkdirat(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, call.args[0], call.args[1], call.args[2])
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

fn sys_mknod(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, AT_FDCWD as u64, call.args[0], call.args[1], call.args[2])
}

fn sys_mknodat(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, call.args[0], call.args[1], call.args[2], call.args[3])
}

fn sys_rmdir(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    container().vfs.remove_directory(&context(call), At::Cwd, &path)?;
    Ok(0)
}

fn sys_unlink(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    container().vfs.unlink(&context(call), At::Cwd, &path)?;
    Ok(0)
}

fn sys_unlinkat(call: &mut Call<'_>) -> Result<u64> {
    const AT_REMOVEDIR: u64 = 0x200;
    let [fd, path, flags, ..] = call.args;
    let path = user::get_path(path)?;
    let context = context(call);
    at(call, fd, &path, |at| match flags {
        0 => container().vfs.unlink(&context, at, &path),
        AT_REMOVEDIR => container().vfs.remove_directory(&context, at, &path),
        _ => Err(Errno::EINVAL),
    })?;
    Ok(0)
}

fn rename(call: &Call<'_>, from: (u64, u64), to: (u64, u64), flags: u64) -> Result<u64> {
    let flags = RenameFlags::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs
                .rename(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}

fn sys_rename(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (AT_FDCWD as u64, call.args[0]),
        (AT_FDCWD as u64, call.args[1]),
        0,
    )
}

fn sys_renameat(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        0,
    )
}

fn sys_renameat2(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        call.args[4],
    )
}

fn link(call: &Call<'_>, from: (u64, u64), to: (u64, u64), flags: u64) -> Result<u64> {
    let flags = at_flags(flags, AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs
                .link(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}

fn sys_link(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (AT_FDCWD as u64, call.args[0]),
        (AT_FDCWD as u64, call.args[1]),
        0,
    )
}

fn sys_linkat(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        call.args[4],
    )
}

fn make_symlink(call: &Call<'_>, target: u64, fd: u64, path: u64) -> Result<u64> {
    let (target, path) = (user::get_path(target)?, user::get_path(path)?);
    at(call, fd, &path, |at| {
        container().vfs.make_symlink(&context(call), &target, at, &path)
    })?;
    Ok(0)
}

fn sys_symlink(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.args[0], AT_FDCWD as u64, call.args[1])
}

fn sys_symlinkat(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.args[0], call.args[1], call.args[2])
}

fn read_link(call: &Call<'_>, fd: u64, path: u64, out: u64, room: i32) -> Result<u64> {
    let room = usize::try_from(room)
        .ok()
        .filter(|&room| room > 0)
        .ok_or(Errno::EINVAL)?;
    let path = user::get_path(path)?;
    let target = at(call, fd, &path, |at| {
        container().vfs.read_link(&context(call), at, &path)
    })?;
    let given = target.get(..room.min(target.len())).unwrap_or_default();
    user::put_bytes(out, given)?;
    Ok(given.len() as u64)
}

fn sys_readlink(call: &mut Call<'_>) -> Result<u64> {
    read_link(call, AT_FDCWD as u64, call.args[0], call.args[1], call.int(2))
}

fn sys_readlinkat(call: &mut Call<'_>) -> Result<u64> {
    read_link(call, call.args[0], call.args[1], call.args[2], call.int(3))
}
