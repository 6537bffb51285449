//! statx.

use kobject::{Errno, Result, Timestamp};
use libos_fs::At;
use linux_abi::stat::{major, minor};
use linux_abi::{AtFlags, StatxMask};

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::uapi::{Statx, StatxTimestamp};
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(332, "statx", sys_statx, "dsxxx")];

fn sys_statx(call: &mut Call<'_>) -> Result<u64> {
    let given = StatxMask::STATX_BASIC_STATS | StatxMask::STATX_BTIME | StatxMask::STATX_MNT_ID;
    let taken = EITHER | AtFlags::AT_NO_AUTOMOUNT | AtFlags::AT_STATX_SYNC_TYPE;
    let (fd, path_at, flags, mask, out) = (
        call.fd(0),
        call.pointer(1),
        call.uint(2),
        StatxMask::from_bits_retain(call.uint(3)),
        call.pointer(4),
    );
    let flags = at_flags(flags, taken)?;
    if mask.contains(StatxMask::STATX__RESERVED) || flags.contains(AtFlags::AT_STATX_SYNC_TYPE) {
        return Err(Errno::EINVAL);
    }
    let path = if path_at == 0 && flags.contains(AtFlags::AT_EMPTY_PATH) {
        alloc::vec::Vec::new()
    } else {
        user::get_path(path_at)?
    };
    let context = context(call);
    let vfs = container().vfs();
    let anonymous = path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) && fd != AT_FDCWD;
    let (stat, mount) = if anonymous {
        let file = call.file_or_path(fd)?;
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
    let statx = Statx {
        mask: given.bits(),
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

fn statx_time(time: Timestamp) -> StatxTimestamp {
    StatxTimestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds,
        _reserved: 0,
    }
}
