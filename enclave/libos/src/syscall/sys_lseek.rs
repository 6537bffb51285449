//! lseek.

use kobject::Result;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(8, "lseek", sys_lseek, "ddd")];

fn sys_lseek(call: &mut Call<'_>) -> Result<u64> {
    let [fd, offset, whence, ..] = call.args;
    call.file(fd)?.seek(offset as i64, whence as u32)
}
