//! The memory of a program that a call reads or writes: one piece, or an array of them.

use alloc::vec::Vec;

use enclave_layout::{PAGE_SIZE, USER_END};
use enclave_rt::user::Access;
use kobject::{Description, Errno, IoVec, Result};
use libos_mm::FaultOutcome;
use linux_abi::read_write::{MAX_RW_COUNT, UIO_MAXIOV};

use super::Call;
use crate::uapi::RawIoVec;
use crate::user::{self, Address};

/// Whether a range ends within a program's addresses (`access_ok` of the kernel); EFAULT. What is not there in it is found when it is used.
pub(super) fn reaches(at: Address, len: usize) -> Result<()> {
    match at.checked_add(len as u64) {
        Some(end) if end <= USER_END => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

pub(super) fn piece(at: Address, len: usize) -> Result<[IoVec; 1]> {
    // No program has so many addresses (`access_ok` of the kernel).
    if (len as isize) < 0 {
        return Err(Errno::EFAULT);
    }
    let len = len.min(MAX_RW_COUNT);
    reaches(at, len)?;
    Ok([IoVec { base: at, len }])
}

/// The pieces of a program's memory that an `iovec` array names.
pub(super) fn pieces(at: Address, count: u64) -> Result<Vec<IoVec>> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let mut room = MAX_RW_COUNT;
    let mut pieces = Vec::new();
    for raw in user::get_all::<RawIoVec>(at, count, UIO_MAXIOV)? {
        let len = usize::try_from(raw.len)
            .ok()
            .filter(|&len| len as isize >= 0)
            .ok_or(Errno::EINVAL)?;
        reaches(raw.base, len)?;
        let len = len.min(room);
        room -= len;
        if len > 0 {
            pieces.push(IoVec { base: raw.base, len });
        }
    }
    Ok(pieces)
}

/// What can be touched of memory, up to the first page that cannot: a file is read or written that far, as on Linux. EFAULT if that is
/// nothing, or not a file.
#[cold]
pub(super) fn reachable(
    call: &Call<'_>,
    file: &Description,
    pieces: &[IoVec],
    access: Access,
) -> Result<Vec<IoVec>> {
    let space = &call.thread.process.space();
    let mut found = Vec::new();
    if !file.object().is_seekable() {
        return Err(Errno::EFAULT);
    }
    for piece in pieces {
        let end = piece.base + piece.len as u64;
        let mut at = piece.base;
        while at < end && space.handle_fault(at, access) == FaultOutcome::Handled {
            at = (at & !(PAGE_SIZE - 1)) + PAGE_SIZE;
        }
        let len = at.min(end).saturating_sub(piece.base) as usize;
        if len > 0 {
            found.push(IoVec { len, ..*piece });
        }
        if at < end {
            break;
        }
    }
    if found.is_empty() {
        return Err(Errno::EFAULT);
    }
    Ok(found)
}
