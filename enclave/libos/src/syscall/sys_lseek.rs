//! lseek.

use kobject::Result;
use linux_abi::Whence;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(8, "lseek", sys_lseek, "dld")];

fn sys_lseek(call: &mut Call<'_>) -> Result<u64> {
    let (fd, offset, whence) = (call.fd(0), call.long(1), call.uint(2));
    call.file(fd)?.seek(offset, Whence(whence))
}
