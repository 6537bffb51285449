//! personality.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::prctl::{PER_MASK, PERSONALITY_QUERY};

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    135,
    "personality",
    sys_personality,
    "x",
    "PER_LINUX only; flags are remembered and have no effect",
)];

/// personality: only Linux's own; where memory lies is not random in any way that a flag could turn off.
fn sys_personality(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    let wanted = call.uint(0);
    let before = process.personality.load(Ordering::Relaxed);
    if wanted != PERSONALITY_QUERY {
        if wanted & PER_MASK != 0 {
            return Err(Errno::EINVAL);
        }
        process.personality.store(wanted, Ordering::Relaxed);
    }
    Ok(before.into())
}
