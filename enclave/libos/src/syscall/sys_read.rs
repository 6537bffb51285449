//! read, pread64, readv, preadv, preadv2 and write, pwrite64, writev, pwritev, pwritev2.

use alloc::vec::Vec;

use kobject::{Description, Errno, IoVec, Result, Sink, Source, UserSink, UserSource};

use super::Call;
use super::table::{Restart, Row};
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
        "RWF_HIPRI, DSYNC and SYNC have no effect; no RWF_NOWAIT",
    ),
    Row::partial(
        328,
        "pwritev2",
        sys_pwritev2,
        "dxdddx",
        "as preadv2; RWF_APPEND is not supported",
    ),
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

fn read(file: &Description, pieces: &[IoVec], at: Option<u64>) -> Result<u64> {
    let mut sink = UserSink::new(pieces);
    let to: &mut dyn Sink = &mut sink;
    Ok(match at {
        None => file.read(to)?,
        Some(offset) => file.read_at(offset, to)?,
    } as u64)
}

fn write(call: &Call<'_>, file: &Description, pieces: &[IoVec], at: Option<u64>) -> Result<u64> {
    let mut source = UserSource::new(pieces);
    let from: &mut dyn Source = &mut source;
    let result = match at {
        None => file.write(from),
        Some(offset) => file.write_at(offset, from),
    };
    raise_pipe(call, result)
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
    read(&file, &piece(call.args[1], call.args[2])?, None)
}

fn sys_write(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    write(call, &file, &piece(call.args[1], call.args[2])?, None)
}

fn sys_pread64(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    read(&file, &piece(call.args[1], call.args[2])?, Some(at))
}

fn sys_pwrite64(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    write(call, &file, &piece(call.args[1], call.args[2])?, Some(at))
}

fn sys_readv(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    read(&file, &pieces(call.args[1], call.args[2])?, None)
}

fn sys_writev(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    write(call, &file, &pieces(call.args[1], call.args[2])?, None)
}

fn sys_preadv(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    read(&file, &pieces(call.args[1], call.args[2])?, Some(at))
}

fn sys_pwritev(call: &mut Call<'_>) -> Result<u64> {
    let at = offset(call.args[3])?;
    let file = call.file(call.args[0])?;
    write(call, &file, &pieces(call.args[1], call.args[2])?, Some(at))
}

/// RWF_HIPRI, RWF_DSYNC, RWF_SYNC: how fast and how durable, which memory is at once.
const RWF_WITHOUT_EFFECT: u64 = 7;

/// The offset of preadv2 and pwritev2: -1 is the file's own position.
fn second_offset(call: &Call<'_>) -> Result<Option<u64>> {
    if call.args[5] & !RWF_WITHOUT_EFFECT != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    match call.args[3] {
        u64::MAX => Ok(None),
        at => offset(at).map(Some),
    }
}

fn sys_preadv2(call: &mut Call<'_>) -> Result<u64> {
    let at = second_offset(call)?;
    let file = call.file(call.args[0])?;
    read(&file, &pieces(call.args[1], call.args[2])?, at)
}

fn sys_pwritev2(call: &mut Call<'_>) -> Result<u64> {
    let at = second_offset(call)?;
    let file = call.file(call.args[0])?;
    write(call, &file, &pieces(call.args[1], call.args[2])?, at)
}
