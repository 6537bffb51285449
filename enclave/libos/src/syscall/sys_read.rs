//! read, pread64, readv, preadv, preadv2 and write, pwrite64, writev, pwritev, pwritev2.

use alloc::vec::Vec;

use enclave_rt::user::Access;
use kobject::{Description, Errno, IoVec, Result, Sink, Source, StatusFlags, UserSink, UserSource};

use libos_mm::FaultOutcome;

use super::Call;
use super::table::{Restart, Row};
use crate::process::limits;
use crate::signal::{Signal, SignalInfo, code, send};
use crate::uapi::RawIoVec;
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(0, "read", sys_read, "dxd").restarts(Restart::WithFlag),
    Row::full(1, "write", sys_write, "dbd").restarts(Restart::WithFlag),
    Row::full(17, "pread64", sys_pread64, "dxdd"),
    Row::full(18, "pwrite64", sys_pwrite64, "dbdd"),
    Row::full(19, "readv", sys_readv, "dxd").restarts(Restart::WithFlag),
    Row::full(20, "writev", sys_writev, "dxd").restarts(Restart::WithFlag),
    Row::full(295, "preadv", sys_preadv, "dxdd"),
    Row::full(296, "pwritev", sys_pwritev, "dxdd"),
    Row::partial(
        327,
        "preadv2",
        sys_preadv2,
        "dxdddx",
        "RWF_HIPRI, DSYNC and SYNC have no effect; RWF_NOWAIT for files only",
    ),
    Row::partial(328, "pwritev2", sys_pwritev2, "dxdddx", "as preadv2"),
];

/// Most bytes of one operation (MAX_RW_COUNT of the kernel).
const MOST: usize = 0x7fff_f000;
/// Most pieces of one operation (IOV_MAX).
const MOST_PIECES: usize = 1024;

fn piece(at: u64, len: u64) -> Result<[IoVec; 1]> {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    if (len as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    let len = len.min(MOST);
    enclave_rt::user::check(at, len)?;
    Ok([IoVec { base: at, len }])
}

/// The pieces of a program's memory that an `iovec` array names.
pub(super) fn pieces(at: u64, count: u64) -> Result<Vec<IoVec>> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let mut room = MOST;
    let mut pieces = Vec::new();
    for raw in user::get_all::<RawIoVec>(at, count, MOST_PIECES)? {
        let len = usize::try_from(raw.len)
            .ok()
            .filter(|&len| len as isize >= 0)
            .ok_or(Errno::EINVAL)?;
        enclave_rt::user::check(raw.base, len)?;
        let len = len.min(room);
        room -= len;
        if len > 0 {
            pieces.push(IoVec { base: raw.base, len });
        }
    }
    Ok(pieces)
}

/// A write to a pipe or stream that nobody reads raises SIGPIPE.
pub(super) fn raise_pipe(call: &Call<'_>, result: Result<usize>) -> Result<u64> {
    if result == Err(Errno::EPIPE) {
        let process = &call.thread.process;
        let info = SignalInfo::sent(Signal::PIPE, code::USER, process.pid, process.uid());
        send::to_thread(call.thread, info)?;
    }
    Ok(result? as u64)
}

fn read(call: &Call<'_>, file: &Description, pieces: &[IoVec], at: Option<u64>) -> Result<u64> {
    let attempt = |pieces: &[IoVec]| {
        let mut sink = UserSink::new(pieces);
        let to: &mut dyn Sink = &mut sink;
        match at {
            None => file.read(to),
            Some(offset) => file.read_at(offset, to),
        }
    };
    let result = match attempt(pieces) {
        Err(Errno::EFAULT) => attempt(&reachable(call, file, pieces, Access::Write)?),
        done => done,
    };
    Ok(result? as u64)
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
    raise_pipe(call, result)
}

/// A file whose contents a process without privilege has changed is no longer run with its owner's rights.
pub(super) fn modified(call: &Call<'_>, file: &Description) {
    if file.object().is_seekable() {
        libos_fs::written_by(file, &call.thread.process.context.lock().credentials);
    }
}

/// Where a write goes.
#[derive(Clone, Copy)]
enum Place {
    Position,
    Offset(u64),
    /// The end, though an offset was given, which only tells whether the position moves.
    End(Option<u64>),
}

/// What can be touched of memory, up to the first page that cannot: a file is read or written that far, as on Linux. EFAULT if that is
/// nothing, or not a file.
#[cold]
fn reachable(call: &Call<'_>, file: &Description, pieces: &[IoVec], access: Access) -> Result<Vec<IoVec>> {
    const PAGE: u64 = 4096;
    let space = &call.thread.process.space;
    let mut found = Vec::new();
    if !file.object().is_seekable() {
        return Err(Errno::EFAULT);
    }
    for piece in pieces {
        let end = piece.base + piece.len as u64;
        let mut at = piece.base;
        while at < end && space.handle_fault(at, access) == FaultOutcome::Handled {
            at = (at & !(PAGE - 1)) + PAGE;
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

/// What RLIMIT_FSIZE leaves of a write, if it does not leave all.
fn within_file_size(
    call: &Call<'_>,
    file: &Description,
    pieces: &[IoVec],
    place: Place,
) -> Result<Option<Vec<IoVec>>> {
    if !file.object().is_seekable() {
        return Ok(None);
    }
    let limit = call.thread.process.limits.lock().0[limits::FILE_SIZE].current;
    if limit == limits::INFINITY {
        return Ok(None);
    }
    let start = match place {
        _ if file.flags().contains(StatusFlags::APPEND) => file.object().end()?,
        Place::End(_) => file.object().end()?,
        Place::Offset(offset) => offset,
        Place::Position => file.position(),
    };
    check_file_size(call, start.saturating_add(1))?;
    let mut room = usize::try_from(limit - start).unwrap_or(usize::MAX);
    let mut allowed = Vec::new();
    for piece in pieces {
        let len = piece.len.min(room);
        room -= len;
        allowed.push(IoVec { len, ..*piece });
    }
    Ok(Some(allowed))
}

/// Whether RLIMIT_FSIZE lets a file become this long; SIGXFSZ and EFBIG.
pub(super) fn check_file_size(call: &Call<'_>, len: u64) -> Result<()> {
    let process = &call.thread.process;
    if len <= process.limits.lock().0[limits::FILE_SIZE].current {
        return Ok(());
    }
    send::to_thread(call.thread, SignalInfo::new(Signal::XFSZ, code::KERNEL))?;
    Err(Errno::EFBIG)
}

fn offset(raw: u64) -> Result<u64> {
    if (raw as i64) < 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(raw)
    }
}

fn sys_read(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    read(call, &file, &piece(call.args[1], call.args[2])?, None)
}

fn sys_write(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    write(call, &file, &piece(call.args[1], call.args[2])?, Place::Position)
}

fn sys_pread64(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    read(call, &file, &piece(call.args[1], call.args[2])?, Some(at))
}

fn sys_pwrite64(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    write(
        call,
        &file,
        &piece(call.args[1], call.args[2])?,
        Place::Offset(at),
    )
}

fn sys_readv(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    read(call, &file, &pieces(call.args[1], call.args[2])?, None)
}

fn sys_writev(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    write(call, &file, &pieces(call.args[1], call.args[2])?, Place::Position)
}

fn sys_preadv(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    read(call, &file, &pieces(call.args[1], call.args[2])?, Some(at))
}

fn sys_pwritev(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    write(
        call,
        &file,
        &pieces(call.args[1], call.args[2])?,
        Place::Offset(at),
    )
}

/// RWF_HIPRI, RWF_DSYNC, RWF_SYNC: how fast and how durable, which memory is at once.
const RWF_WITHOUT_EFFECT: u64 = 7;
/// Files are in memory, so nothing about them waits.
const RWF_NOWAIT: u64 = 8;
const RWF_APPEND: u64 = 16;

/// The offset of preadv2 and pwritev2: -1 is the file's own position. EOPNOTSUPP for flags beyond `others`.
fn second_offset(call: &Call<'_>, file: &Description, others: u64) -> Result<Option<u64>> {
    let flags = call.args[5] & !(RWF_WITHOUT_EFFECT | others);
    if flags & !RWF_NOWAIT != 0 || (flags != 0 && !file.object().is_seekable()) {
        return Err(Errno::EOPNOTSUPP);
    }
    match call.args[3] {
        u64::MAX => Ok(None),
        at => offset(at).map(Some),
    }
}

fn sys_preadv2(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let at = second_offset(call, &file, 0)?;
    read(call, &file, &pieces(call.args[1], call.args[2])?, at)
}

fn sys_pwritev2(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let place = match second_offset(call, &file, RWF_APPEND)? {
        at if call.args[5] & RWF_APPEND != 0 => Place::End(at),
        Some(at) => Place::Offset(at),
        None => Place::Position,
    };
    write(call, &file, &pieces(call.args[1], call.args[2])?, place)
}
