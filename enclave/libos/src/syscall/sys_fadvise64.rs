//! fadvise64, readahead.

use kobject::{Errno, FileKind, Result};
use linux_abi::FileAdvice;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(221, "fadvise64", sys_fadvise64, "dlld", "advice has no effect"),
    Row::partial(187, "readahead", sys_readahead, "dll", "has no effect"),
];

fn sys_fadvise64(call: &mut Call<'_>) -> Result<u64> {
    let (fd, advice) = (call.fd(0), FileAdvice(call.uint(3)));
    let file = call.file(fd)?;
    match file.object().stat()?.kind {
        FileKind::Fifo => Err(Errno::ESPIPE),
        _ if call.ulong(2).cast_signed() < 0 => Err(Errno::EINVAL),
        _ => match advice {
            FileAdvice::POSIX_FADV_NORMAL
            | FileAdvice::POSIX_FADV_RANDOM
            | FileAdvice::POSIX_FADV_SEQUENTIAL
            | FileAdvice::POSIX_FADV_WILLNEED
            | FileAdvice::POSIX_FADV_DONTNEED
            | FileAdvice::POSIX_FADV_NOREUSE => Ok(0),
            _ => Err(Errno::EINVAL),
        },
    }
}

fn sys_readahead(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    match file.object().stat()?.kind {
        FileKind::Regular if file.flags().readable() => Ok(0),
        FileKind::Regular => Err(Errno::EBADF),
        _ => Err(Errno::EINVAL),
    }
}
