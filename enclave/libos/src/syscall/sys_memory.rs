//! mmap and everything about memory mappings.

use host_abi::Protection;
use kobject::{Description, Errno, FileKind, Result, Stat, StatusFlags};
use libos_mm::{Advice, Backing, MapFlags};

use super::Call;
use super::table::Row;
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        9,
        "mmap",
        sys_mmap,
        "xdxxdx",
        "MAP_LOCKED, MAP_HUGETLB and the like are hints",
    ),
    Row::full(11, "munmap", sys_munmap, "xd"),
    Row::full(10, "mprotect", sys_mprotect, "xdx"),
    Row::full(12, "brk", sys_brk, "x"),
    Row::partial(25, "mremap", sys_mremap, "xddxx", "no MREMAP_DONTUNMAP"),
    Row::partial(
        28,
        "madvise",
        sys_madvise,
        "xdd",
        "DONTNEED and FREE act, the rest are hints",
    ),
    Row::full(26, "msync", sys_msync, "xdx"),
    Row::full(27, "mincore", sys_mincore, "xdx"),
    Row::partial(
        149,
        "mlock",
        sys_mlock,
        "xd",
        "checked; the host could page an enclave out all the same",
    ),
    Row::partial(325, "mlock2", sys_mlock, "xdx", "as mlock"),
    Row::partial(150, "munlock", sys_mlock, "xd", "as mlock"),
    Row::partial(151, "mlockall", sys_mlockall, "x", "as mlock"),
    Row::partial(152, "munlockall", sys_mlockall, "", "as mlock"),
];

const PROT_MASK: u64 = 7;
/// PROT_GROWSDOWN, PROT_GROWSUP and PROT_SEM mean nothing here.
const PROT_KNOWN: u64 = PROT_MASK | 0x0300_0000 | 8;

const MAP_SHARED: u64 = 0x1;
const MAP_PRIVATE: u64 = 0x2;
const MAP_SHARED_VALIDATE: u64 = 0x3;
const MAP_ANONYMOUS: u64 = 0x20;

const F_SEAL_WRITE: u32 = 0x8;
const F_SEAL_FUTURE_WRITE: u32 = 0x10;

fn protection(bits: u64) -> Result<Protection> {
    if bits & !PROT_KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    Protection::from_bits(bits & PROT_MASK).ok_or(Errno::EINVAL)
}

pub(super) fn sys_mmap(call: &mut Call<'_>) -> Result<u64> {
    let [hint, len, prot, raw_flags, fd, offset] = call.args;
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

pub(super) fn sys_munmap(call: &mut Call<'_>) -> Result<u64> {
    call.thread.process.space.unmap(call.args[0], call.args[1])?;
    Ok(0)
}

pub(super) fn sys_mprotect(call: &mut Call<'_>) -> Result<u64> {
    let [address, len, prot, ..] = call.args;
    call.thread
        .process
        .space
        .protect(address, len, protection(prot)?)?;
    Ok(0)
}

pub(super) fn sys_brk(call: &mut Call<'_>) -> Result<u64> {
    Ok(call.thread.process.space.set_break(call.args[0]))
}

pub(super) fn sys_mremap(call: &mut Call<'_>) -> Result<u64> {
    const MAYMOVE: u64 = 1;
    const FIXED: u64 = 2;
    let [old, old_len, new_len, flags, target, _] = call.args;
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

pub(super) fn sys_madvise(call: &mut Call<'_>) -> Result<u64> {
    let [address, len, advice, ..] = call.args;
    let advice = match advice {
        4 => Advice::DontNeed,
        8 => Advice::Free,
        3 | 22 | 23 => Advice::WillNeed,
        0..=2 | 10..=21 | 25 => Advice::Hint,
        _ => return Err(Errno::EINVAL),
    };
    call.thread.process.space.advise(address, len, advice)?;
    Ok(0)
}

pub(super) fn sys_msync(call: &mut Call<'_>) -> Result<u64> {
    let [address, len, flags, ..] = call.args;
    const ASYNC: u64 = 1;
    const SYNC: u64 = 4;
    if !address.is_multiple_of(4096) || flags & !7 != 0 || flags & (ASYNC | SYNC) == ASYNC | SYNC {
        return Err(Errno::EINVAL);
    }
    call.thread.process.space.check_mapped(address, len)?;
    Ok(0)
}

pub(super) fn sys_mincore(call: &mut Call<'_>) -> Result<u64> {
    let [address, len, out, ..] = call.args;
    if len == 0 {
        return Ok(0);
    }
    user::put_bytes(out, &call.thread.process.space.residency(address, len)?)?;
    Ok(0)
}

/// mlock, mlock2, munlock: the host could page an enclave out whatever is asked here; it stays encrypted.
pub(super) fn sys_mlock(call: &mut Call<'_>) -> Result<u64> {
    call.thread
        .process
        .space
        .check_mapped(call.args[0], call.args[1])?;
    Ok(0)
}

pub(super) fn sys_mlockall(_: &mut Call<'_>) -> Result<u64> {
    Ok(0)
}
