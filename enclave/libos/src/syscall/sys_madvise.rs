//! madvise.

use kobject::{Errno, Result};
use libos_mm::Advice;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    28,
    "madvise",
    sys_madvise,
    "xdd",
    "DONTNEED, FREE, WILLNEED and POPULATE take effect; the rest do not",
)];

fn sys_madvise(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, advice) = (call.pointer(0), call.ulong(1), call.int(2));
    let advice = match advice {
        4 => Advice::DontNeed,
        8 => Advice::Free,
        3 | 22 | 23 => Advice::WillNeed,
        0..=2 | 10..=21 | 25 => Advice::Hint,
        _ => return Err(Errno::EINVAL),
    };
    call.thread.process.space.advise(address, len, advice)?;
    Ok(0)
}
