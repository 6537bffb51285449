//! umask.

use kobject::Result;
use linux_abi::stat::S_IRWXUGO;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(95, "umask", sys_umask, "x")];

fn sys_umask(call: &mut Call<'_>) -> Result<u64> {
    let mut place = call.thread.process.place.lock();
    let before = place.umask;
    place.umask = call.uint(0) & S_IRWXUGO;
    Ok(before.into())
}
