//! write, pwrite64, writev, pwritev, pwritev2.

use alloc::vec::Vec;

use enclave_rt::user::Access;
use kobject::{Description, Errno, IoVec, Result, Source, UserSource};
use linux_abi::{OpenFlags, ReadWriteFlags};

use super::Call;
use super::iovec::{piece, pieces, reachable};
use super::sys_read::second_offset;
use super::table::{Restart, Row, SocketLimit};
use super::write_effects::{modified, raise_pipe, room_in_file};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(1, "write", sys_write, "dbl")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Send),
    Row::full(18, "pwrite64", sys_pwrite64, "dbll"),
    Row::full(20, "writev", sys_writev, "dxd")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Send),
    Row::full(296, "pwritev", sys_pwritev, "dxdd"),
    Row::partial(328, "pwritev2", sys_pwritev2, "dxdddx", "as preadv2"),
];

fn sys_write(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    write(
        call,
        &file,
        &piece(call.pointer(1), call.len(2))?,
        Place::Position,
    )
}

fn sys_pwrite64(call: &mut Call<'_>) -> Result<u64> {
    let at = call.offset(3)?;
    let file = call.file(call.fd(0))?;
    write(
        call,
        &file,
        &piece(call.pointer(1), call.len(2))?,
        Place::Offset(at),
    )
}

fn sys_writev(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    write(
        call,
        &file,
        &pieces(call.pointer(1), call.ulong(2))?,
        Place::Position,
    )
}

fn sys_pwritev(call: &mut Call<'_>) -> Result<u64> {
    let at = call.offset(3)?;
    let file = call.file(call.fd(0))?;
    write(
        call,
        &file,
        &pieces(call.pointer(1), call.ulong(2))?,
        Place::Offset(at),
    )
}

fn sys_pwritev2(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    let flags = ReadWriteFlags::from_bits_retain(call.uint(5));
    let place = match second_offset(call, &file, ReadWriteFlags::RWF_APPEND)? {
        at if flags.contains(ReadWriteFlags::RWF_APPEND) => Place::End(at),
        Some(at) => Place::Offset(at),
        None => Place::Position,
    };
    write(call, &file, &pieces(call.pointer(1), call.ulong(2))?, place)
}

/// Where a write goes.
#[derive(Clone, Copy)]
enum Place {
    Position,
    Offset(u64),
    /// The end, though an offset was given, which only tells whether the position moves.
    End(Option<u64>),
}

/// As pwritev(2), or as writev(2) without an offset.
pub(super) fn write_at(
    call: &Call<'_>,
    file: &Description,
    pieces: &[IoVec],
    offset: Option<u64>,
) -> Result<u64> {
    let place = offset.map_or(Place::Position, Place::Offset);
    write(call, file, pieces, place)
}

fn write(call: &Call<'_>, file: &Description, pieces: &[IoVec], place: Place) -> Result<u64> {
    let attempt = |pieces: &[IoVec]| {
        let mut source = UserSource::new(pieces);
        let from: &mut dyn Source = &mut source;
        match place {
            Place::Position => file.write(from),
            Place::Offset(offset) => file.write_at(offset, from),
            Place::End(offset) => file.append(offset, from),
        }
    };
    let allowed = within_file_size(call, file, pieces, place)?;
    let pieces = allowed.as_deref().unwrap_or(pieces);
    let result = match attempt(pieces) {
        Err(Errno::EFAULT) => attempt(&reachable(call, file, pieces, Access::Read)?),
        done => done,
    };
    if result.is_ok_and(|len| len > 0) {
        modified(call, file);
    }
    call.thread.process.writes.count(raise_pipe(call, result))
}

/// What RLIMIT_FSIZE leaves of a write, if it does not leave all.
fn within_file_size(
    call: &Call<'_>,
    file: &Description,
    pieces: &[IoVec],
    place: Place,
) -> Result<Option<Vec<IoVec>>> {
    let start = || match place {
        _ if file.flags().contains(OpenFlags::O_APPEND) => file.object().end(),
        Place::End(_) => file.object().end(),
        Place::Offset(offset) => Ok(offset),
        Place::Position => Ok(file.position()),
    };
    let Some(mut room) = room_in_file(call, file, start)? else {
        return Ok(None);
    };
    let mut allowed = Vec::new();
    for piece in pieces {
        let len = piece.len.min(room);
        room -= len;
        allowed.push(IoVec { len, ..*piece });
    }
    Ok(Some(allowed))
}
