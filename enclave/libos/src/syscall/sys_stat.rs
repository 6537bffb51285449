//! What is known of a file and of its file system: stat and statfs, in their older and newer forms.

use kobject::{Errno, Result, Stat, Timestamp};
use libos_fs::{At, AtFlags};

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::container;
use crate::uapi::{RawStat, Statfs, Statx, StatxTimestamp, Timespec};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(4, "stat", sys_stat, "sx"),
    Row::full(6, "lstat", sys_lstat, "sx"),
    Row::full(5, "fstat", sys_fstat, "dx"),
    Row::full(262, "newfstatat", sys_newfstatat, "dsxx"),
    Row::full(332, "statx", sys_statx, "dsxxx"),
    Row::full(137, "statfs", sys_statfs, "sx"),
    Row::full(138, "fstatfs", sys_fstatfs, "dx"),
];

fn time(time: Timestamp) -> Timespec {
    Timespec {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds.into(),
    }
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

fn stat(call: &Call<'_>, fd: u64, path: u64, out: u64, flags: AtFlags) -> Result<u64> {
    let path = user::get_path(path)?;
    let stat = at(call, fd, &path, |at| {
        container().vfs.stat(&context(call), at, &path, flags)
    })?;
    user::put(out, &raw_stat(&stat))?;
    Ok(0)
}

fn sys_stat(call: &mut Call<'_>) -> Result<u64> {
    stat(
        call,
        AT_FDCWD as u64,
        call.args[0],
        call.args[1],
        AtFlags::empty(),
    )
}

fn sys_lstat(call: &mut Call<'_>) -> Result<u64> {
    stat(
        call,
        AT_FDCWD as u64,
        call.args[0],
        call.args[1],
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

fn sys_fstat(call: &mut Call<'_>) -> Result<u64> {
    let stat = call.file(call.args[0])?.object().stat()?;
    user::put(call.args[1], &raw_stat(&stat))?;
    Ok(0)
}

/// AT_NO_AUTOMOUNT has no effect.
const AT_NO_AUTOMOUNT: u64 = 0x800;

fn sys_newfstatat(call: &mut Call<'_>) -> Result<u64> {
    let [fd, path, out, flags, ..] = call.args;
    let flags = at_flags(flags & !AT_NO_AUTOMOUNT, EITHER)?;
    if flags.contains(AtFlags::EMPTY_PATH) && fd as i32 != AT_FDCWD && user::get::<u8>(path) == Ok(0) {
        let stat = call.file(fd)?.object().stat()?;
        user::put(out, &raw_stat(&stat))?;
        return Ok(0);
    }
    stat(call, fd, path, out, flags)
}

fn statx_time(time: Timestamp) -> StatxTimestamp {
    StatxTimestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds,
        _reserved: 0,
    }
}

fn sys_statx(call: &mut Call<'_>) -> Result<u64> {
    /// STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID
    const GIVEN: u32 = 0x7ff | 0x800 | 0x1000;
    const AT_STATX_SYNC: u64 = 0x6000;
    const RESERVED: u64 = 0x8000_0000;
    let [fd, path_at, flags, mask, out, _] = call.args;
    if mask & RESERVED != 0 || flags & AT_STATX_SYNC == AT_STATX_SYNC {
        return Err(Errno::EINVAL);
    }
    let flags = at_flags(flags & !(AT_NO_AUTOMOUNT | AT_STATX_SYNC), EITHER)?;
    let path = if path_at == 0 && flags.contains(AtFlags::EMPTY_PATH) {
        alloc::vec::Vec::new()
    } else {
        user::get_path(path_at)?
    };
    let context = context(call);
    let vfs = &container().vfs;
    let anonymous = path.is_empty() && flags.contains(AtFlags::EMPTY_PATH) && fd as i32 != AT_FDCWD;
    let (stat, mount) = if anonymous {
        let file = call.file(fd)?;
        let mount = vfs.mount_of(&context, At::Descriptor(&file), &path, flags);
        (file.object().stat()?, mount.map_or(0, |mount| mount.number()))
    } else {
        at(call, fd, &path, |at| {
            let stat = vfs.stat(&context, at, &path, flags)?;
            Ok((
                stat,
                vfs.mount_of(&context, at, &path, flags)
                    .map_or(0, |mount| mount.number()),
            ))
        })?
    };
    let major = |device: u64| ((device >> 8) & 0xfff | (device >> 32) & !0xfff) as u32;
    let minor = |device: u64| (device & 0xff | (device >> 12) & !0xff) as u32;
    let statx = Statx {
        mask: GIVEN,
        block_size: stat.block_size,
        attributes: 0,
        links: stat.links,
        uid: stat.uid,
        gid: stat.gid,
        mode: stat.mode() as u16,
        _spare0: 0,
        inode: stat.inode,
        size: stat.size,
        blocks: stat.blocks,
        attributes_mask: 0,
        accessed: statx_time(stat.accessed),
        created: statx_time(stat.created),
        changed: statx_time(stat.changed),
        modified: statx_time(stat.modified),
        special_major: major(stat.special_device),
        special_minor: minor(stat.special_device),
        device_major: major(stat.device),
        device_minor: minor(stat.device),
        mount: mount.into(),
        _spare: [0; 13],
    };
    user::put(out, &statx)?;
    Ok(0)
}

fn raw_statfs(stat: &libos_fs::FileSystemStat) -> Statfs {
    Statfs {
        kind: stat.magic as i64,
        block_size: stat.block_size as i64,
        blocks: stat.blocks,
        free: stat.free_blocks,
        available: stat.free_blocks,
        files: stat.files,
        free_files: stat.free_files,
        id: [stat.device as i32, (stat.device >> 32) as i32],
        name_len: stat.name_max as i64,
        fragment_size: stat.block_size as i64,
        flags: stat.flags as i64,
        _spare: [0; 4],
    }
}

fn sys_statfs(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    let stat = container().vfs.stat_file_system(&context(call), &path)?;
    user::put(call.args[1], &raw_statfs(&stat))?;
    Ok(0)
}

fn sys_fstatfs(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let stat = container().vfs.stat_file_system_at(&file)?;
    user::put(call.args[1], &raw_statfs(&stat))?;
    Ok(0)
}
