//! personality.

use core::sync::atomic::Ordering;

use kobject::Result;
use linux_abi::prctl::PERSONALITY_QUERY;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    135,
    "personality",
    sys_personality,
    "x",
    "remembered, and without effect",
)];

/// Where memory lies is not random in any way that a flag could turn off.
fn sys_personality(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    let wanted = call.uint(0);
    let before = process.personality.load(Ordering::Relaxed);
    if wanted != PERSONALITY_QUERY {
        process.personality.store(wanted, Ordering::Relaxed);
    }
    Ok(before.into())
}
