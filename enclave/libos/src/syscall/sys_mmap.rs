//! mmap, munmap, mremap, remap_file_pages.

use alloc::format;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_layout::{PAGE_SIZE, USER_END};
use host_abi::{MessageKind, PageRange, Protection};
use kobject::{Description, Errno, FileKind, Result};
use libos_mm::{ADDRESSES_END, Backing};
use linux_abi::device::DEV_ZERO;
use linux_abi::{MapFlags, ProtectionFlags, RemapFlags, Seals};

use super::Call;
use super::sys_mlock;
use super::sys_mprotect::protection;
use super::table::Row;
use crate::{console, memory_limit};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        9,
        "mmap",
        sys_mmap,
        "xlxxdl",
        "hints such as MAP_HUGETLB have no effect; what is mapped to be written only is shown as readable, too",
    ),
    Row::full(11, "munmap", sys_munmap, "xl"),
    Row::full(25, "mremap", sys_mremap, "xllxx"),
    Row::full(216, "remap_file_pages", sys_remap_file_pages, "xlxlx"),
];

fn sys_mmap(call: &mut Call<'_>) -> Result<u64> {
    let (hint, len, prot, raw_flags, fd, offset) = (
        call.pointer(0),
        call.ulong(1),
        call.ulong(2),
        call.ulong(3),
        call.fd(4),
        call.ulong(5),
    );
    let protection = protection(ProtectionFlags::from_bits_truncate(prot as u32))?;
    let mut flags = MapFlags::from_bits_truncate(raw_flags as u32);
    let validates = flags & MapFlags::MAP_TYPE == MapFlags::MAP_SHARED_VALIDATE;
    let is_unknown = !MapFlags::LEGACY_MASK.contains(MapFlags::from_bits_retain(raw_flags as u32));
    let shared = match flags & MapFlags::MAP_TYPE {
        MapFlags::MAP_SHARED | MapFlags::MAP_SHARED_VALIDATE => true,
        MapFlags::MAP_PRIVATE => false,
        _ => return Err(Errno::EINVAL),
    };
    flags.remove(MapFlags::MAP_TYPE);
    flags.set(MapFlags::MAP_SHARED, shared);
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let backing = if flags.contains(MapFlags::MAP_ANONYMOUS) {
        if validates {
            return Err(Errno::EINVAL);
        }
        Backing::Anonymous
    } else {
        let file = call.file(fd)?;
        let open = file.flags();
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        // MAP_SYNC among them: no file lies on persistent memory.
        if validates && is_unknown {
            return Err(Errno::EOPNOTSUPP);
        }
        let writes = shared && protection.contains(Protection::READ_WRITE);
        if !open.readable() || (writes && !open.writable()) {
            return Err(Errno::EACCES);
        }
        let seals = crate::container().vfs().seals(&file).unwrap_or(Seals::empty());
        let is_sealed = shared && seals.intersects(Seals::F_SEAL_WRITE | Seals::F_SEAL_FUTURE_WRITE);
        if writes && is_sealed {
            return Err(Errno::EPERM);
        }
        // Whether mprotect(2) may make a shared mapping writable.
        let writable = open.writable() && !is_sealed;
        let mapping = || file.object().clone().mapping();
        match (is_zero_device(&file)?, writable) {
            (true, true) => Backing::Anonymous,
            (true, false) => Backing::ReadOnlyZeros,
            (false, true) => Backing::File(mapping()?, offset),
            (false, false) => Backing::ReadOnlyFile(mapping()?, offset),
        }
    };
    let space = call.thread.process.space();
    if flags.contains(MapFlags::MAP_LOCKED) || space.locks_later() {
        space.check_lock(len, sys_mlock::limit(call)?)?;
        flags |= MapFlags::MAP_LOCKED | MapFlags::MAP_POPULATE;
    }
    let mapped = space.map(hint, len, protection, flags, backing, b"");
    if mapped.is_err() && flags.intersects(MapFlags::MAP_FIXED | MapFlags::MAP_FIXED_NOREPLACE) {
        say_if_beyond(call, hint, len);
    }
    if mapped == Err(Errno::ENOMEM) {
        memory_limit::say_if_used_up(call.thread, len);
    }
    mapped
}

/// Names, once, why a program cannot have addresses that Linux gives to programs. The host has them: ELRANGE is a power of two.
fn say_if_beyond(call: &Call<'_>, start: u64, len: u64) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let end = start.saturating_add(len);
    if (USER_END + 1..=ADDRESSES_END).contains(&end) && !SAID.swap(true, Ordering::Relaxed) {
        let line = format!(
            "{} asked for memory at address {start:#x}: an enclave's addresses end at {USER_END:#x}. It may do without; programs built with AddressSanitizer cannot\n",
            call.thread.program(),
        );
        console::print(MessageKind::Notice, &line);
    }
}

/// Whether an open file is /dev/zero, mappings of which are anonymous memory.
fn is_zero_device(file: &Description) -> Result<bool> {
    // Regular files, which are what programs map, are told apart without their attributes.
    if file.object().is_seekable() {
        return Ok(false);
    }
    let stat = file.object().stat()?;
    Ok(stat.kind == FileKind::CharDevice && stat.special_device == DEV_ZERO)
}

fn sys_munmap(call: &mut Call<'_>) -> Result<u64> {
    call.thread
        .process
        .space()
        .unmap(call.pointer(0), call.ulong(1))?;
    Ok(0)
}

fn sys_mremap(call: &mut Call<'_>) -> Result<u64> {
    let (old, old_len, new_len, flags, target) = (
        call.pointer(0),
        call.ulong(1),
        call.ulong(2),
        call.ulong(3),
        call.pointer(4),
    );
    let flags = u32::try_from(flags).ok().and_then(RemapFlags::from_bits);
    let flags = flags.ok_or(Errno::EINVAL)?;
    let may_move = flags.contains(RemapFlags::MREMAP_MAYMOVE);
    let fixed = flags.contains(RemapFlags::MREMAP_FIXED);
    let keeps = flags.contains(RemapFlags::MREMAP_DONTUNMAP);
    if (fixed || keeps) && !may_move || keeps && old_len != new_len {
        return Err(Errno::EINVAL);
    }
    let target = fixed.then_some(target);
    let space = call.thread.process.space();
    match keeps {
        true => space.remap_and_keep(old, new_len, target),
        false => space.remap(old, old_len, new_len, may_move, target),
    }
}

fn sys_remap_file_pages(call: &mut Call<'_>) -> Result<u64> {
    let (start, len, prot, page) = (call.pointer(0), call.ulong(1), call.ulong(2), call.ulong(3));
    let range = PageRange::new(start - start % PAGE_SIZE, len - len % PAGE_SIZE);
    let range = range.filter(|range| prot == 0 && range.end() <= ADDRESSES_END);
    let range = range.ok_or(Errno::EINVAL)?;
    let offset = page.checked_mul(PAGE_SIZE).ok_or(Errno::EINVAL)?;
    offset.checked_add(range.len()).ok_or(Errno::EINVAL)?;
    call.thread.process.space().remap_file(range, offset)?;
    Ok(0)
}
