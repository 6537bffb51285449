//! What a thread sends with its next call: see [`host_abi::Posted`].

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use host_abi::{Errno, Fate, Flush, HostFd, OUTBOX_OFFSET, OUTBOX_SIZE, Posted};

use crate::area::ThreadArea;
use crate::call;
use crate::handlers;
use crate::thread::ThreadNumber;
use crate::untrusted::HostMemory;

/// What a thread has posted since its last call.
#[repr(C)]
pub(crate) struct Outbox {
    /// How many pieces.
    count: AtomicU32,
    /// How many bytes of the outbox they take.
    used: AtomicU32,
    /// Who sent each, and how many bytes. Kept here, since the host may change its copy.
    pieces: [Piece; Posted::MAX_COUNT],
}

#[repr(C)]
struct Piece {
    sender: AtomicU64,
    len: AtomicU32,
}

/// Posts a piece of `len` bytes for a stream: `fill` puts them into the outbox. `None` if the caller has to send them itself: the host
/// does not watch, or there is no room. `sender` is told ([`handlers::Kernel::not_sent`]) if it is not sent as a whole.
///
/// # Errors
/// That of `fill`; nothing is posted.
pub fn post<E>(
    fd: HostFd,
    len: usize,
    sender: u64,
    fill: impl FnOnce(HostMemory) -> Result<(), E>,
) -> Option<Result<(), E>> {
    let area = ThreadArea::current();
    let outbox = &area.outbox;
    let memory = memory(area);
    let used = outbox.used.load(Ordering::Relaxed) as usize;
    let is_full = outbox.count.load(Ordering::Relaxed) as usize == Posted::MAX_COUNT;
    if is_full || len > Posted::MAX_LEN.min(Posted::ROOM - used) || !is_watched(memory) {
        return None;
    }
    let data = memory.part(Posted::DATA_OFFSET + used, len);
    if let Err(error) = fill(data) {
        return Some(Err(error));
    }
    // To bring the program's pages may have taken a call, with which all that was posted before has gone.
    let place = outbox.count.load(Ordering::Relaxed) as usize;
    let piece = outbox.pieces.get(place)?;
    let (filled, used) = (used, outbox.used.load(Ordering::Relaxed) as usize);
    if used != filled {
        memory.part(Posted::DATA_OFFSET + used, len).copy_from(data);
    }
    let entry = Posted {
        fd,
        len: len as u32,
        result: 0,
    };
    let at = Posted::ENTRIES_OFFSET + place * Posted::SIZE;
    memory.part(at, Posted::SIZE).write(&entry.to_bytes());
    piece.sender.store(sender, Ordering::Relaxed);
    piece.len.store(len as u32, Ordering::Relaxed);
    let used = (used + len).next_multiple_of(Posted::ALIGNMENT).min(Posted::ROOM);
    outbox.used.store(used as u32, Ordering::Relaxed);
    outbox.count.store(place as u32 + 1, Ordering::Relaxed);
    // Whoever looks sees the number last; and the host either sees it, or has said before that it no longer watches.
    fence(Ordering::SeqCst);
    memory
        .part(Posted::COUNT_OFFSET, size_of::<u64>())
        .write(&(place as u64 + 1).to_le_bytes());
    fence(Ordering::SeqCst);
    if !is_watched(memory) {
        flush(ThreadNumber::current());
    }
    Some(Ok(()))
}

/// Sees to it that what was posted in a [`call::moment`] of another thread's has been sent.
pub fn settle(moment: u64) {
    if let Some((thread, exits)) = call::parts_of(moment)
        && thread != ThreadNumber::current()
        && call::exits(thread) == exits
    {
        flush(thread);
    }
}

fn flush(thread: ThreadNumber) {
    let slot = thread.index() as u32;
    // A host that does not send is like a network that loses.
    let _ = call::call(&Flush { slot });
}

/// Whether the calling thread has posted something since its last call.
pub(crate) fn is_empty() -> bool {
    ThreadArea::current().outbox.count.load(Ordering::Relaxed) == 0
}

/// The calling thread has made a call: what has become of what it had posted.
pub(crate) fn collect(area: &ThreadArea) {
    let count = area.outbox.count.load(Ordering::Relaxed) as usize;
    let mut bytes = [0; Posted::MAX_COUNT * Posted::SIZE];
    let Some(bytes) = bytes.get_mut(..count * Posted::SIZE) else {
        return;
    };
    memory(area).part(Posted::ENTRIES_OFFSET, bytes.len()).read(bytes);
    // Before senders are told, who may make calls.
    forget(area);
    for (entry, piece) in bytes
        .as_chunks::<{ Posted::SIZE }>()
        .0
        .iter()
        .zip(&area.outbox.pieces)
    {
        let (_, result) = entry.split_at(Posted::RESULT_OFFSET);
        let result = result.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        let len = piece.len.load(Ordering::Relaxed) as usize;
        let fate = Posted::fate(len, result).map_err(Errno::from);
        if fate != Ok(Fate::Sent) {
            handlers::kernel().not_sent(piece.sender.load(Ordering::Relaxed), fate.err());
        }
    }
}

/// Nothing is posted.
pub(crate) fn forget(area: &ThreadArea) {
    area.outbox.count.store(0, Ordering::Relaxed);
    area.outbox.used.store(0, Ordering::Relaxed);
}

fn memory(area: &ThreadArea) -> HostMemory {
    call::area_memory(area).part(OUTBOX_OFFSET, OUTBOX_SIZE)
}

fn is_watched(outbox: HostMemory) -> bool {
    let mut word = [0; 8];
    outbox.part(Posted::WATCHED_OFFSET, word.len()).read(&mut word);
    u64::from_le_bytes(word) != 0
}
