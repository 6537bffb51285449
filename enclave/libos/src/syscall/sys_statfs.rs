//! statfs, fstatfs, ustat, sysfs.

use alloc::vec::Vec;

use kobject::{Errno, Result};
use libos_fs::FILE_SYSTEM_TYPES;
use linux_abi::stat::makedev;

use super::Call;
use super::path::context;
use super::table::Row;
use crate::uapi::{Statfs, Ustat};
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(137, "statfs", sys_statfs, "sx"),
    Row::full(138, "fstatfs", sys_fstatfs, "dx"),
    Row::full(136, "ustat", sys_ustat, "dx"),
    Row::full(139, "sysfs", sys_sysfs, "dxx"),
];

fn sys_statfs(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    let stat = container().vfs().stat_file_system(&context(call), &path)?;
    user::put(call.pointer(1), &raw_statfs(&stat))?;
    Ok(0)
}

fn sys_fstatfs(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file_or_path(call.fd(0))?;
    let stat = container().vfs().stat_file_system_at(&file)?;
    user::put(call.pointer(1), &raw_statfs(&stat))?;
    Ok(0)
}

fn sys_ustat(call: &mut Call<'_>) -> Result<u64> {
    let device = call.uint(0);
    // `new_decode_dev` of the kernel: 12 bits of a major number amid 20 of a minor one.
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    let stat = container().vfs().stat_mounted(makedev(major, minor))?;
    let answer = Ustat {
        free_blocks: i32::try_from(stat.free_blocks).unwrap_or(i32::MAX),
        _pad: 0,
        free_inodes: stat.free_files,
        names: [0; 12],
        _end: [0; 4],
    };
    user::put(call.pointer(1), &answer)?;
    Ok(0)
}

// What sysfs(2) is asked for. Linux's headers have no names for these.
const INDEX_OF_NAME: i32 = 1;
const NAME_OF_INDEX: i32 = 2;
const COUNT: i32 = 3;

/// The types of file systems: the number of a name, the name of a number, how many there are.
fn sys_sysfs(call: &mut Call<'_>) -> Result<u64> {
    match call.int(0) {
        INDEX_OF_NAME => {
            let name = call.path(1)?;
            let number = FILE_SYSTEM_TYPES
                .iter()
                .position(|(known, _)| known.as_bytes() == name);
            Ok(number.ok_or(Errno::EINVAL)? as u64)
        }
        NAME_OF_INDEX => {
            let number = call.uint(1) as usize;
            let (name, _) = FILE_SYSTEM_TYPES.get(number).ok_or(Errno::EINVAL)?;
            let name: Vec<u8> = name.bytes().chain([0]).collect();
            user::put_bytes(call.pointer(2), &name)?;
            Ok(0)
        }
        COUNT => Ok(FILE_SYSTEM_TYPES.len() as u64),
        _ => Err(Errno::EINVAL),
    }
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
        flags: stat.flags.bits() as i64,
        _spare: [0; 4],
    }
}
