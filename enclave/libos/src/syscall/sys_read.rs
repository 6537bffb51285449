//! read, pread64, readv, preadv, preadv2.

use enclave_rt::user::Access;
use kobject::{Description, Errno, IoVec, Result, Sink, UserSink};
use linux_abi::ReadWriteFlags;

use super::Call;
use super::iovec::{piece, pieces, reachable};
use super::table::{Restart, Row, SocketLimit};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(0, "read", sys_read, "dxl")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
    Row::full(17, "pread64", sys_pread64, "dxll"),
    Row::full(19, "readv", sys_readv, "dxd")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
    Row::full(295, "preadv", sys_preadv, "dxdd"),
    Row::partial(
        327,
        "preadv2",
        sys_preadv2,
        "dxdddx",
        "RWF_HIPRI, DSYNC and SYNC have no effect; RWF_NOWAIT for files only",
    ),
];

fn sys_read(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    read(call, &file, &piece(call.pointer(1), call.len(2))?, None)
}

fn sys_pread64(call: &mut Call<'_>) -> Result<u64> {
    let at = call.offset(3)?;
    let file = call.file(call.fd(0))?;
    read(call, &file, &piece(call.pointer(1), call.len(2))?, Some(at))
}

fn sys_readv(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    read(call, &file, &pieces(call.pointer(1), call.ulong(2))?, None)
}

fn sys_preadv(call: &mut Call<'_>) -> Result<u64> {
    let at = call.offset(3)?;
    let file = call.file(call.fd(0))?;
    read(call, &file, &pieces(call.pointer(1), call.ulong(2))?, Some(at))
}

fn sys_preadv2(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    let at = second_offset(call, &file, ReadWriteFlags::empty())?;
    read(call, &file, &pieces(call.pointer(1), call.ulong(2))?, at)
}

pub(super) fn read(call: &Call<'_>, file: &Description, pieces: &[IoVec], at: Option<u64>) -> Result<u64> {
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
    call.thread.process.reads.count(result.map(|len| len as u64))
}

/// How fast and how durable, which memory is at once.
const WITHOUT_EFFECT: ReadWriteFlags = ReadWriteFlags::RWF_HIPRI
    .union(ReadWriteFlags::RWF_DSYNC)
    .union(ReadWriteFlags::RWF_SYNC);

/// The offset of preadv2 and pwritev2: -1 is the file's own position. EOPNOTSUPP for flags beyond `others`.
pub(super) fn second_offset(
    call: &Call<'_>,
    file: &Description,
    others: ReadWriteFlags,
) -> Result<Option<u64>> {
    let flags = ReadWriteFlags::from_bits_retain(call.uint(5)) - WITHOUT_EFFECT - others;
    // Files are in memory, so nothing about them waits.
    let needs_file = flags == ReadWriteFlags::RWF_NOWAIT;
    if !(flags.is_empty() || needs_file && file.object().is_seekable()) {
        return Err(Errno::EOPNOTSUPP);
    }
    if call.long(3) == -1 {
        return Ok(None);
    }
    call.offset(3).map(Some)
}
