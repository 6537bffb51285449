//! statx.

use kobject::{Errno, Result, Timestamp};
use libos_fs::At;
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::sys_stat::AT_NO_AUTOMOUNT;
use super::table::Row;
use crate::uapi::{Statx, StatxTimestamp};
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(332, "statx", sys_statx, "dsxxx")];

fn sys_statx(call: &mut Call<'_>) -> Result<u64> {
    /// STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID
    const GIVEN: u32 = 0x7ff | 0x800 | 0x1000;
    const AT_STATX_SYNC: u32 = 0x6000;
    const RESERVED: u32 = 0x8000_0000;
    let (fd, path_at, flags, mask, out) = (
        call.fd(0),
        call.pointer(1),
        call.uint(2),
        call.uint(3),
        call.pointer(4),
    );
    if mask & RESERVED != 0 || flags & AT_STATX_SYNC == AT_STATX_SYNC {
        return Err(Errno::EINVAL);
    }
    let flags = at_flags(flags & !(AT_NO_AUTOMOUNT | AT_STATX_SYNC), EITHER)?;
    let path = if path_at == 0 && flags.contains(AtFlags::AT_EMPTY_PATH) {
        alloc::vec::Vec::new()
    } else {
        user::get_path(path_at)?
    };
    let context = context(call);
    let vfs = &container().vfs;
    let anonymous = path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) && fd != AT_FDCWD;
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

fn statx_time(time: Timestamp) -> StatxTimestamp {
    StatxTimestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds,
        _reserved: 0,
    }
}
