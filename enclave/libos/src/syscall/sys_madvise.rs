//! madvise.

use kobject::{Errno, Result};
use libos_mm::Advice;
use linux_abi::MemoryAdvice;

use super::Call;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    28,
    "madvise",
    sys_madvise,
    "xld",
    "DONTNEED, FREE, WILLNEED and POPULATE take effect; the rest do not",
)];

fn sys_madvise(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, advice) = (call.pointer(0), call.ulong(1), MemoryAdvice(call.uint(2)));
    let advice = match advice {
        MemoryAdvice::MADV_DONTNEED => Advice::DontNeed,
        MemoryAdvice::MADV_FREE => Advice::Free,
        MemoryAdvice::MADV_WILLNEED
        | MemoryAdvice::MADV_POPULATE_READ
        | MemoryAdvice::MADV_POPULATE_WRITE => Advice::WillNeed,
        MemoryAdvice::MADV_NORMAL
        | MemoryAdvice::MADV_RANDOM
        | MemoryAdvice::MADV_SEQUENTIAL
        | MemoryAdvice::MADV_DONTFORK
        | MemoryAdvice::MADV_DOFORK
        | MemoryAdvice::MADV_MERGEABLE
        | MemoryAdvice::MADV_UNMERGEABLE
        | MemoryAdvice::MADV_HUGEPAGE
        | MemoryAdvice::MADV_NOHUGEPAGE
        | MemoryAdvice::MADV_DONTDUMP
        | MemoryAdvice::MADV_DODUMP
        | MemoryAdvice::MADV_WIPEONFORK
        | MemoryAdvice::MADV_KEEPONFORK
        | MemoryAdvice::MADV_COLD
        | MemoryAdvice::MADV_PAGEOUT
        | MemoryAdvice::MADV_COLLAPSE => Advice::Hint,
        _ => return Err(Errno::EINVAL),
    };
    call.thread.process.space().advise(address, len, advice)?;
    Ok(0)
}
