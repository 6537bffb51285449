//! shmget, shmat, shmdt, shmctl.

use alloc::format;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_layout::PAGE_SIZE;
use host_abi::{MessageKind, Protection};
use kobject::{Errno, Result};
use libos_ipc::{Named, SegmentState};
use libos_mm::Backing;
use linux_abi::ipc::{SHMALL, SHMMAX, SHMMIN, SHMMNI};
use linux_abi::{MapFlags, Resource, ShmCommand, ShmFlags};

use super::Call;
use super::ipc_object::{check_id, ownership, raw};
use super::table::Row;
use crate::ipc::caller;
use crate::uapi::{RawSegment, SegmentInfo, SegmentLimits};
use crate::{console, container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        29,
        "shmget",
        sys_shmget,
        "xdx",
        "SHM_HUGETLB is ENOMEM, and so is more than half of the memory in all segments",
    ),
    Row::partial(
        30,
        "shmat",
        sys_shmat,
        "dxx",
        "ENOMEM at addresses that another process has; fork(2) does not change the times",
    ),
    Row::partial(
        31,
        "shmctl",
        sys_shmctl,
        "ddx",
        "resident and swapped pages are 0",
    ),
    Row::full(67, "shmdt", sys_shmdt, "x"),
];

fn sys_shmget(call: &mut Call<'_>) -> Result<u64> {
    let (key, len, flags) = (call.int(0), call.ulong(1), call.uint(2));
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let segments = &container().ipc.shared_memory;
    let id = segments.open(caller(process, &credentials), key, len, flags)?;
    Ok(id as u64)
}

fn sys_shmat(call: &mut Call<'_>) -> Result<u64> {
    let (id, asked, flags) = (
        call.int(0),
        call.pointer(1),
        ShmFlags::from_bits_truncate(call.uint(2)),
    );
    check_id(id, 0)?;
    let address = asked - asked % PAGE_SIZE;
    let is_replacing = flags.contains(ShmFlags::SHM_REMAP);
    if (address != asked && !flags.contains(ShmFlags::SHM_RND)) || (address == 0 && is_replacing) {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let me = caller(process, &credentials);
    let segments = &container().ipc.shared_memory;
    let attachment = segments.attach(me, id, flags)?;
    let (segment, len, space) = (attachment.segment, attachment.len, process.space());
    let mut map_flags = MapFlags::MAP_SHARED;
    if asked != 0 {
        let end = address.checked_add(len).ok_or(Errno::EINVAL)?;
        if !is_replacing && !space.is_unmapped(address, end - address) {
            return Err(Errno::EINVAL);
        }
        map_flags |= MapFlags::MAP_FIXED;
    }
    let (mut protection, backing) = match flags.contains(ShmFlags::SHM_RDONLY) {
        true => (Protection::READ, Backing::ReadOnlyFile(segment.clone(), 0)),
        false => (Protection::READ_WRITE, Backing::File(segment.clone(), 0)),
    };
    if flags.contains(ShmFlags::SHM_EXEC) {
        protection = match protection {
            Protection::READ => Protection::READ_EXECUTE,
            _ => Protection::ALL,
        };
    }
    let mapped = space.map(address, len, protection, map_flags, backing, b"");
    if mapped == Err(Errno::ENOMEM) && asked != 0 {
        name_once(address);
    }
    let mapped = mapped?;
    segments.attached(me, &segment);
    Ok(mapped)
}

/// Says, once, why a segment cannot be attached at an address that the program chose.
fn name_once(address: u64) {
    static IS_NAMED: AtomicBool = AtomicBool::new(false);
    if !IS_NAMED.swap(true, Ordering::Relaxed) {
        let line = format!(
            "shmat: {address:#x} belongs to another process or to the LibOS; all processes share one range of addresses \
             (docs/processes.md)\n"
        );
        console::print(MessageKind::Notice, &line);
    }
}

fn sys_shmdt(call: &mut Call<'_>) -> Result<u64> {
    call.thread.process.space().detach(call.pointer(0))?;
    Ok(0)
}

fn sys_shmctl(call: &mut Call<'_>) -> Result<u64> {
    let (id, command, buffer) = (call.int(0), call.int(1), call.pointer(2));
    check_id(id, command)?;
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let me = caller(process, &credentials);
    let segments = &container().ipc.shared_memory;
    let command = ShmCommand(command.cast_unsigned());
    match command {
        ShmCommand::IPC_INFO => {
            let limits = SegmentLimits {
                longest: SHMMAX,
                shortest: SHMMIN,
                most: SHMMNI as u64,
                most_of_process: SHMMNI as u64,
                most_pages: SHMALL,
                _unused: [0; 4],
            };
            user::put(buffer, &limits)?;
            Ok(segments.usage().0.highest as u64)
        }
        ShmCommand::SHM_INFO => {
            let (usage, pages) = segments.usage();
            let info = SegmentInfo {
                segments: usage.objects as u32,
                _pad: 0,
                pages,
                resident: 0,
                swapped: 0,
                _unused: [0; 2],
            };
            user::put(buffer, &info)?;
            Ok(usage.highest as u64)
        }
        ShmCommand::IPC_STAT => {
            let state = segments.state(me, Named::Id(id))?;
            user::put(buffer, &raw_segment(&state))?;
            Ok(0)
        }
        ShmCommand::SHM_STAT | ShmCommand::SHM_STAT_ANY => {
            let named = match command {
                ShmCommand::SHM_STAT => Named::Index(id),
                _ => Named::AnyIndex(id),
            };
            let state = segments.state(me, named)?;
            user::put(buffer, &raw_segment(&state))?;
            Ok(state.id as u64)
        }
        ShmCommand::IPC_SET => {
            let new: RawSegment = user::get(buffer)?;
            segments.set_owner(me, id, ownership(new.permissions))?;
            Ok(0)
        }
        ShmCommand::IPC_RMID => {
            segments.remove(me, id)?;
            Ok(0)
        }
        ShmCommand::SHM_LOCK | ShmCommand::SHM_UNLOCK => {
            let may_lock = process.limits.lock()[Resource::RLIMIT_MEMLOCK].current != 0;
            segments.lock_in_memory(me, id, command == ShmCommand::SHM_LOCK, may_lock)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn raw_segment(state: &SegmentState) -> RawSegment {
    RawSegment {
        permissions: raw(&state.permissions),
        len: state.len,
        attached: state.attached,
        detached: state.detached,
        changed: state.changed,
        creator_pid: state.creator_pid,
        last_pid: state.last_pid,
        attachments: state.attachments,
        _unused: [0; 2],
    }
}
