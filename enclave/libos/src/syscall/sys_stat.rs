//! stat, lstat, fstat, newfstatat.

use kobject::{Result, Stat, Timestamp};
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::uapi::{RawStat, Timespec};
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(4, "stat", sys_stat, "sx"),
    Row::full(6, "lstat", sys_lstat, "sx"),
    Row::full(5, "fstat", sys_fstat, "dx"),
    Row::full(262, "newfstatat", sys_newfstatat, "dsxx"),
];

fn sys_stat(call: &mut Call<'_>) -> Result<u64> {
    stat(call, AT_FDCWD, call.pointer(0), call.pointer(1), AtFlags::empty())
}

fn sys_lstat(call: &mut Call<'_>) -> Result<u64> {
    stat(
        call,
        AT_FDCWD,
        call.pointer(0),
        call.pointer(1),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )
}

fn sys_fstat(call: &mut Call<'_>) -> Result<u64> {
    let stat = call.file_or_path(call.fd(0))?.object().stat()?;
    user::put(call.pointer(1), &raw_stat(&stat))?;
    Ok(0)
}

fn sys_newfstatat(call: &mut Call<'_>) -> Result<u64> {
    let (fd, path, out, flags) = (call.fd(0), call.pointer(1), call.pointer(2), call.uint(3));
    let flags = at_flags(flags, EITHER | AtFlags::AT_NO_AUTOMOUNT)?;
    if flags.contains(AtFlags::AT_EMPTY_PATH) && fd != AT_FDCWD && user::get::<u8>(path) == Ok(0) {
        let stat = call.file_or_path(fd)?.object().stat()?;
        user::put(out, &raw_stat(&stat))?;
        return Ok(0);
    }
    stat(call, fd, path, out, flags)
}

fn stat(call: &Call<'_>, fd: Fd, path: Address, out: Address, flags: AtFlags) -> Result<u64> {
    let path = user::get_path(path)?;
    let stat = at(call, fd, &path, |at| {
        container().vfs().stat(&context(call), at, &path, flags)
    })?;
    user::put(out, &raw_stat(&stat))?;
    Ok(0)
}

fn raw_stat(stat: &Stat) -> RawStat {
    RawStat {
        device: stat.device,
        inode: stat.inode,
        links: stat.links.into(),
        mode: stat.mode(),
        uid: stat.uid,
        gid: stat.gid,
        _pad: 0,
        special_device: stat.special_device,
        size: stat.size as i64,
        block_size: stat.block_size.into(),
        blocks: stat.blocks as i64,
        accessed: time(stat.accessed),
        modified: time(stat.modified),
        changed: time(stat.changed),
        _unused: [0; 3],
    }
}

fn time(time: Timestamp) -> Timespec {
    Timespec {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds.into(),
    }
}
