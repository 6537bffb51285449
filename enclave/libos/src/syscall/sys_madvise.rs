//! madvise, process_madvise.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use libos_mm::Advice;
use linux_abi::{Capabilities, MemoryAdvice};

use super::Call;
use super::iovec::pieces;
use super::sys_kcmp::may_inspect;
use super::sys_pidfd;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(28, "madvise", sys_madvise, "xld", NOTE),
    Row::partial(440, "process_madvise", sys_process_madvise, "dxddx", NOTE),
];

const NOTE: &str = "DONTNEED, FREE, WILLNEED and POPULATE take effect; the rest do not";

fn sys_madvise(call: &mut Call<'_>) -> Result<u64> {
    let (address, len, advice) = (call.pointer(0), call.ulong(1), MemoryAdvice(call.uint(2)));
    call.thread
        .process
        .space()
        .advise(address, len, effect(advice)?)?;
    Ok(0)
}

fn sys_process_madvise(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, count, advice, flags) = (
        call.fd(0),
        call.pointer(1),
        call.ulong(2),
        MemoryAdvice(call.uint(3)),
        call.uint(4),
    );
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let pieces = pieces(at, count)?;
    let target = sys_pidfd::process_of(call, fd)?;
    if target.is_zombie.load(Ordering::Acquire) {
        return Err(Errno::ESRCH);
    }
    if !may_inspect(call.thread, &target) {
        return Err(Errno::EPERM);
    }
    let space = target.space();
    let is_own = space.id() == call.thread.process.space().id();
    if !is_own {
        // What changes contents is for a process itself.
        let is_possible = matches!(
            advice,
            MemoryAdvice::MADV_COLD
                | MemoryAdvice::MADV_PAGEOUT
                | MemoryAdvice::MADV_WILLNEED
                | MemoryAdvice::MADV_COLLAPSE
        );
        if !is_possible {
            return Err(Errno::EINVAL);
        }
        call.thread.credentials().require(Capabilities::CAP_SYS_NICE)?;
    }
    let effect = effect(advice)?;
    let mut done = 0;
    for piece in &pieces {
        let len = piece.len as u64;
        let advised = match is_own {
            true => space.advise(piece.base, len, effect),
            false => space.advise(piece.base, len, Advice::Hint),
        };
        match advised {
            Ok(()) => done += len,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// What advice does here; EINVAL for what is none.
fn effect(advice: MemoryAdvice) -> Result<Advice> {
    Ok(match advice {
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
    })
}
