//! mmap, munmap, mremap.

use host_abi::Protection;
use kobject::{Description, Errno, FileKind, Result, Stat, StatusFlags};
use libos_mm::{Backing, MapFlags};

use super::Call;
use super::sys_mprotect::{PROT_KNOWN, protection};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        9,
        "mmap",
        sys_mmap,
        "xdxxdx",
        "hints such as MAP_LOCKED and MAP_HUGETLB have no effect",
    ),
    Row::full(11, "munmap", sys_munmap, "xd"),
    Row::partial(25, "mremap", sys_mremap, "xddxx", "no MREMAP_DONTUNMAP"),
];

const MAP_SHARED: u64 = 0x1;

const MAP_PRIVATE: u64 = 0x2;

const MAP_SHARED_VALIDATE: u64 = 0x3;

const MAP_ANONYMOUS: u64 = 0x20;

const F_SEAL_WRITE: u32 = 0x8;

const F_SEAL_FUTURE_WRITE: u32 = 0x10;

fn sys_mmap(call: &mut Call<'_>) -> Result<u64> {
    let (hint, len, prot, raw_flags, fd, offset) = (
        call.pointer(0),
        call.ulong(1),
        call.ulong(2),
        call.ulong(3),
        call.fd(4),
        call.ulong(5),
    );
    let protection = protection(prot & PROT_KNOWN)?;
    let shared = match raw_flags & 3 {
        MAP_SHARED | MAP_SHARED_VALIDATE => true,
        MAP_PRIVATE => false,
        _ => return Err(Errno::EINVAL),
    };
    if !offset.is_multiple_of(4096) || len == 0 {
        return Err(Errno::EINVAL);
    }
    let mut flags = MapFlags::from_bits_truncate(raw_flags as u32) - MapFlags::SHARED;
    flags.set(MapFlags::SHARED, shared);
    flags.remove(MapFlags::READ_ONLY);
    let backing = if raw_flags & MAP_ANONYMOUS != 0 {
        Backing::Anonymous
    } else {
        let file = call.file(fd)?;
        let open = file.flags();
        if open.contains(StatusFlags::PATH) {
            return Err(Errno::EBADF);
        }
        let writes = shared && protection.contains(Protection::READ_WRITE);
        if !open.readable() || (writes && !open.writable()) {
            return Err(Errno::EACCES);
        }
        let seals = crate::container().vfs.seals(&file).unwrap_or(0);
        if writes && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM);
        }
        flags.set(MapFlags::READ_ONLY, shared && !open.writable());
        match is_zero_device(&file)? {
            true => Backing::Anonymous,
            false => Backing::File(file.object().clone().mapping()?, offset),
        }
    };
    call.thread
        .process
        .space
        .map(hint, len, protection, flags, backing, b"")
}

/// Whether an open file is /dev/zero, mappings of which are anonymous memory.
fn is_zero_device(file: &Description) -> Result<bool> {
    // Regular files, which are what programs map, are told apart without their attributes.
    if file.object().is_seekable() {
        return Ok(false);
    }
    let stat = file.object().stat()?;
    Ok(stat.kind == FileKind::CharDevice && stat.special_device == Stat::device_number(1, 5))
}

fn sys_munmap(call: &mut Call<'_>) -> Result<u64> {
    call.thread.process.space.unmap(call.pointer(0), call.ulong(1))?;
    Ok(0)
}

fn sys_mremap(call: &mut Call<'_>) -> Result<u64> {
    const MAYMOVE: u64 = 1;
    const FIXED: u64 = 2;
    let (old, old_len, new_len, flags, target) = (
        call.pointer(0),
        call.ulong(1),
        call.ulong(2),
        call.ulong(3),
        call.pointer(4),
    );
    // MREMAP_DONTUNMAP is for userfaultfd.
    if flags & !(MAYMOVE | FIXED) != 0 || (flags & FIXED != 0 && flags & MAYMOVE == 0) {
        return Err(Errno::EINVAL);
    }
    let target = (flags & FIXED != 0).then_some(target);
    call.thread
        .process
        .space
        .remap(old, old_len, new_len, flags & MAYMOVE != 0, target)
}
