//! Leaves the enclave with one typed call and checks what comes back.

use core::sync::atomic::{AtomicU64, Ordering};

use enclave_layout::ELRANGE_SIZE;
use host_abi::{AREA_SIZE, Answer, CallError, HostCall, RECORD_SIZE, Record, STAGING_OFFSET, STAGING_SIZE};

use crate::area::ThreadArea;
use crate::entry;
use crate::outbox;
use crate::thread::{self, ThreadNumber};
use crate::token::Begin;
use crate::untrusted::HostMemory;
use crate::vector_state;

/// The staging buffer of the calling thread.
pub fn staging() -> HostMemory {
    area_memory(ThreadArea::current()).part(STAGING_OFFSET, STAGING_SIZE)
}

/// Makes a call that returns at once. Bytes that go along lie in [`staging`] already.
pub fn call<C: HostCall>(call: &C) -> Result<C::Answer, CallError> {
    let area = ThreadArea::current();
    let memory = area_memory(area);
    let args = call.to_args();
    let mut request = [0u8; 56];
    request[..8].copy_from_slice(&(C::CODE as u64).to_le_bytes());
    for (place, arg) in request[8..].chunks_exact_mut(8).zip(args) {
        place.copy_from_slice(&arg.to_le_bytes());
    }
    memory.write(&request);
    if let Some(count) = area.calls.get(C::CODE as usize) {
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
    // The thread goes on: no instruction waits for a page.
    area.withheld.store(0, Ordering::Relaxed);
    vector_state::hidden(entry::host_call);
    let record = read_record(memory);
    area.exits.store(
        area.exits.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Release,
    );
    note_signals(area, record.signals);
    if !outbox::is_empty() {
        outbox::collect(area);
    }
    call.check(Answer {
        value: record.value,
        extra: record.extra,
    })
}

/// Makes a call that may block. It ends early, with EINTR, when the thread is woken ([`thread::wake`]).
pub fn blocking<C: HostCall>(request: &C) -> Result<C::Answer, CallError> {
    let token = thread::token(ThreadNumber::current());
    match token.begin_block() {
        Begin::Woken => Err(CallError::Errno(host_abi::Errno::EINTR)),
        Begin::Block => {
            let answer = call(request);
            token.end_block();
            answer
        }
    }
}

/// Makes a call that may take long and that nothing ends early. Meanwhile the thread blocks in the host as with [`blocking`], so
/// that nobody waits for it ([`thread::ThreadNumber::is_blocked`]).
pub fn lengthy<C: HostCall>(request: &C) -> Result<C::Answer, CallError> {
    let token = thread::token(ThreadNumber::current());
    let begin = token.begin_block();
    let answer = call(request);
    match begin {
        Begin::Block => token.end_block(),
        // A token for a wait that is over already.
        Begin::Woken => {}
    }
    answer
}

/// How often each call was made by the calling thread, by code.
pub fn counts() -> &'static [AtomicU64; 64] {
    &ThreadArea::current().calls
}

/// How many bits of a [`moment`] count.
const MOMENT_BITS: u32 = 48;

/// A moment in the life of the calling thread: between two of its calls. It fits into an atomic word, and is never 0.
pub fn moment() -> u64 {
    let thread = ThreadNumber::current();
    (thread.index() as u64 + 1) << MOMENT_BITS | exits(thread)
}

/// Whose moment it is, and after how many calls; `None` for 0.
pub(crate) fn parts_of(moment: u64) -> Option<(ThreadNumber, u64)> {
    let thread = ThreadNumber::from_index((moment >> MOMENT_BITS).checked_sub(1)?)?;
    Some((thread, moment & ((1 << MOMENT_BITS) - 1)))
}

/// How often a thread is back from a call; no thread is 2^48 times.
pub(crate) fn exits(thread: ThreadNumber) -> u64 {
    thread.area().exits.load(Ordering::Acquire) & ((1 << MOMENT_BITS) - 1)
}

/// Checks the address of a call area that the host names when it starts a thread.
pub(crate) fn accept_area(address: u64) -> Option<HostMemory> {
    if address < ELRANGE_SIZE || !address.is_multiple_of(64) {
        return None;
    }
    HostMemory::new(address, AREA_SIZE as u64)
}

/// Takes the signals that the host has left in the area of a thread that it interrupts.
pub(crate) fn take_host_signals(area: &ThreadArea) {
    note_signals(area, read_record(area_memory(area)).signals);
}

pub(crate) fn area_memory(area: &ThreadArea) -> HostMemory {
    HostMemory::new(area.call_area_address(), AREA_SIZE as u64).expect("checked when the thread started")
}

fn read_record(memory: HostMemory) -> Record {
    let mut bytes = [0u8; RECORD_SIZE];
    memory.read(&mut bytes);
    let mut words = [0u64; RECORD_SIZE / 8];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Record {
        code: words[0],
        args: [words[1], words[2], words[3], words[4], words[5], words[6]],
        value: words[7].cast_signed(),
        extra: [words[8], words[9]],
        signals: words[10],
        deliveries: words[11],
    }
}

/// Tells the host that its signals have been delivered, for the `count`th time.
pub fn tell_deliveries(count: u64) {
    const AT: usize = core::mem::offset_of!(Record, deliveries);
    let record = area_memory(ThreadArea::current());
    record.part(AT, size_of::<u64>()).write(&count.to_le_bytes());
}

fn note_signals(area: &ThreadArea, signals: u64) {
    if signals != 0 {
        area.host_signals.fetch_or(signals, Ordering::Relaxed);
        area.pending.store(1, Ordering::Release);
    }
}
