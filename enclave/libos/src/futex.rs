//! Futexes (futex(2)).
//!
//! Waiters stand in buckets by address. A waker changes memory, then looks into the bucket; a waiter looks at memory with the
//! bucket locked, so that no wake falls between its look and its entry.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use enclave_rt::user as memory;
use kobject::{Census, Errno, Observer, Result, SpinLock, Waiter, clock};
use libos_mm::Word;
use linux_abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_OP_OPARG_SHIFT, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS,
    ROBUST_LIST_LIMIT,
};
use linux_abi::{FutexComparison, FutexOperation, PollEvents};

use crate::process::{Process, Thread};
use crate::uapi::RobustListHead;
use crate::user;

/// Bytes of a futex.
const WORD: u64 = 4;

/// Whose futex an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// FUTEX_PRIVATE_FLAG: of the memory that the caller has for itself, whatever lies there.
    Private,
    /// Of all who map what lies there.
    Shared,
}

/// Where waiters stand: by what they wait on, whatever its address is to each of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(Word);

impl Key {
    fn new(process: &Process, address: u64, scope: Scope) -> Self {
        let space = process.space();
        Self(match scope {
            Scope::Private => Word::Private(space.id(), address),
            Scope::Shared => space.word(address),
        })
    }

    /// The bucket in which waiters with this key stand.
    #[expect(clippy::indexing_slicing, reason = "the top byte of a word, and 256 buckets")]
    fn bucket(self) -> &'static SpinLock<Bucket> {
        let (Word::Private(_, place) | Word::File(_, place)) = self.0;
        let mixed = (place >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &BUCKETS[usize::from(mixed.to_be_bytes()[0])]
    }
}

struct Entry {
    key: SpinLock<Key>,
    bits: u32,
    waiter: Arc<Waiter>,
}

type Bucket = Vec<Arc<Entry>>;

static BUCKETS: [SpinLock<Bucket>; 256] = [const { SpinLock::new(Vec::new()) }; 256];
/// How many wait at all: most wakes find nobody anywhere.
static WAITING: Census = Census::new();

/// FUTEX_WAIT_BITSET: waits while the word is `expected`. The deadline is on CLOCK_MONOTONIC.
pub(crate) fn wait(
    thread: &Thread,
    address: u64,
    expected: u32,
    bits: u32,
    deadline: Option<u64>,
    scope: Scope,
) -> Result<()> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let awaited = Awaited {
        address,
        expected,
        scope,
    };
    let entry = enqueue(&thread.process, awaited, bits, Waiter::new())?;
    let result = thread.retry_interrupted(|| entry.waiter.sleep(deadline));
    match (dequeue(&entry), result) {
        // Woken between the end of the sleep and now.
        (false, Err(_)) => Ok(()),
        (_, result) => result,
    }
}

/// One word that is waited on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited {
    pub(crate) address: u64,
    pub(crate) expected: u32,
    pub(crate) scope: Scope,
}

/// `futex_waitv`: waits while all words are as expected; gives the index of one that was woken. The deadline is on CLOCK_MONOTONIC.
///
/// # Errors
/// As futex_waitv(2): EINVAL, EFAULT, EAGAIN, ETIMEDOUT, EINTR.
pub(crate) fn wait_multiple(thread: &Thread, words: &[Awaited], deadline: Option<u64>) -> Result<usize> {
    // All addresses first, as Linux does (`futex_wait_multiple_setup`).
    for word in words {
        check(word.address, word.scope)?;
    }
    let waiter = Waiter::new();
    let mut entries = Vec::with_capacity(words.len());
    let mut result = Ok(());
    for &word in words {
        match enqueue(&thread.process, word, FUTEX_BITSET_MATCH_ANY, waiter.clone()) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    if result.is_ok() {
        result = thread.retry_interrupted(|| waiter.sleep(deadline));
    }
    // Who was woken says so, whatever else has happened.
    let mut woken = None;
    for (index, entry) in entries.iter().enumerate() {
        if !dequeue(entry) {
            woken = Some(index);
        }
    }
    match (woken, result) {
        (Some(index), _) => Ok(index),
        (None, Err(error)) => Err(error),
        // Nobody notifies a waiter whose entry is still there.
        (None, Ok(())) => Err(Errno::EAGAIN),
    }
}

/// Lets a waiter stand at a word. EAGAIN if the word is not as expected.
fn enqueue(process: &Process, word: Awaited, bits: u32, waiter: Arc<Waiter>) -> Result<Arc<Entry>> {
    let Awaited {
        address,
        expected,
        scope,
    } = word;
    // Once without the bucket's lock: this may have to bring the page in.
    if load(address)? != expected {
        return Err(Errno::EAGAIN);
    }
    let key = Key::new(process, address, scope);
    let entry = Arc::new(Entry {
        key: SpinLock::new(key),
        bits,
        waiter,
    });
    WAITING.enter();
    let mut bucket = key.bucket().lock();
    if memory::load(address) != Ok(expected) {
        WAITING.leave();
        return Err(Errno::EAGAIN);
    }
    bucket.push(entry.clone());
    drop(bucket);
    Ok(entry)
}

/// Ends what [`enqueue`] began; false if a waker has taken the entry out.
fn dequeue(entry: &Arc<Entry>) -> bool {
    WAITING.leave();
    remove(entry)
}

/// Takes an entry out of its bucket, which a requeue may change meanwhile; false if a waker has done so.
fn remove(entry: &Arc<Entry>) -> bool {
    loop {
        let key = *entry.key.lock();
        let mut bucket = key.bucket().lock();
        if *entry.key.lock() != key {
            continue;
        }
        let before = bucket.len();
        bucket.retain(|other| !Arc::ptr_eq(other, entry));
        return bucket.len() != before;
    }
}

/// Whether a futex can lie at an address (`get_futex_key` of the kernel): EINVAL unless it is aligned, EFAULT beyond programs' addresses,
/// and where nothing is mapped for one that others look up by what is mapped.
pub(crate) fn check(address: u64, scope: Scope) -> Result<()> {
    if !address.is_multiple_of(WORD) {
        return Err(Errno::EINVAL);
    }
    match scope {
        Scope::Private => Ok(memory::check(address, WORD as usize)?),
        Scope::Shared => load(address).map(drop),
    }
}

/// FUTEX_WAKE_BITSET: wakes at most `most`; gives how many.
pub(crate) fn wake(process: &Process, address: u64, most: u32, bits: u32, scope: Scope) -> u32 {
    if WAITING.is_empty() {
        return 0;
    }
    let key = Key::new(process, address, scope);
    let mut woken: Vec<Arc<Entry>> = Vec::new();
    {
        let mut bucket = key.bucket().lock();
        bucket.retain(|entry| {
            let chosen = (woken.len() as u32) < most && entry.bits & bits != 0 && *entry.key.lock() == key;
            if chosen {
                woken.push(entry.clone());
            }
            !chosen
        });
    }
    for entry in &woken {
        entry.waiter.notify(PollEvents::POLLIN);
    }
    woken.len() as u32
}

/// FUTEX_CMP_REQUEUE: wakes `wake_most`, lets at most `move_most` more wait on `target`; gives how many of both.
pub(crate) fn requeue(
    process: &Process,
    address: u64,
    target: u64,
    (wake_most, move_most): (u32, u32),
    expected: Option<u32>,
    scope: Scope,
) -> Result<u32> {
    check(address, scope)?;
    check(target, scope)?;
    if expected.is_some_and(|expected| load(address) != Ok(expected)) {
        load(address)?;
        return Err(Errno::EAGAIN);
    }
    let woken = wake(process, address, wake_most, FUTEX_BITSET_MATCH_ANY, scope);
    let (from, to) = (
        Key::new(process, address, scope),
        Key::new(process, target, scope),
    );
    let mut moved = Vec::new();
    let mut choose = |bucket: &mut Bucket| {
        bucket.retain(|entry| {
            let chosen = (moved.len() as u32) < move_most && *entry.key.lock() == from;
            if chosen {
                *entry.key.lock() = to;
                moved.push(entry.clone());
            }
            !chosen
        });
    };
    // Both at once: who looks for its entry finds it in the bucket that its key names. The lower one first, as everybody does.
    let (old, new) = (from.bucket(), to.bucket());
    if core::ptr::eq(old, new) {
        let mut bucket = old.lock();
        choose(&mut bucket);
        bucket.extend(moved.iter().cloned());
    } else if core::ptr::from_ref(old) < core::ptr::from_ref(new) {
        let mut old = old.lock();
        let mut new = new.lock();
        choose(&mut old);
        new.extend(moved.iter().cloned());
    } else {
        let mut new = new.lock();
        let mut old = old.lock();
        choose(&mut old);
        new.extend(moved.iter().cloned());
    }
    Ok(woken + moved.len() as u32)
}

/// FUTEX_WAKE_OP: changes the second word as `operation` says, wakes on the first, and on the second if its old value compares.
pub(crate) fn wake_op(
    process: &Process,
    (first, second): (u64, u64),
    (wake_first, wake_second): (u32, u32),
    operation: u32,
    scope: Scope,
) -> Result<u32> {
    let sign = |bits: u32| ((bits << 20) as i32 >> 20) as u32;
    let (kind, compare) = ((operation >> 28) & 0xf, (operation >> 24) & 0xf);
    let mut argument = sign((operation >> 12) & 0xfff);
    let against = sign(operation & 0xfff) as i32;
    if kind & FUTEX_OP_OPARG_SHIFT != 0 {
        argument = 1u32.checked_shl(argument & 31).ok_or(Errno::EINVAL)?;
    }
    let old = update(second, |old| match FutexOperation(kind & !FUTEX_OP_OPARG_SHIFT) {
        FutexOperation::FUTEX_OP_SET => Ok(argument),
        FutexOperation::FUTEX_OP_ADD => Ok(old.wrapping_add(argument)),
        FutexOperation::FUTEX_OP_OR => Ok(old | argument),
        FutexOperation::FUTEX_OP_ANDN => Ok(old & !argument),
        FutexOperation::FUTEX_OP_XOR => Ok(old ^ argument),
        _ => Err(Errno::ENOSYS),
    })?;
    let old = old as i32;
    let is_true = match FutexComparison(compare) {
        FutexComparison::FUTEX_OP_CMP_EQ => old == against,
        FutexComparison::FUTEX_OP_CMP_NE => old != against,
        FutexComparison::FUTEX_OP_CMP_LT => old < against,
        FutexComparison::FUTEX_OP_CMP_LE => old <= against,
        FutexComparison::FUTEX_OP_CMP_GT => old > against,
        FutexComparison::FUTEX_OP_CMP_GE => old >= against,
        _ => return Err(Errno::ENOSYS),
    };
    let mut woken = wake(process, first, wake_first, FUTEX_BITSET_MATCH_ANY, scope);
    if is_true {
        woken += wake(process, second, wake_second, FUTEX_BITSET_MATCH_ANY, scope);
    }
    Ok(woken)
}

fn load(address: u64) -> Result<u32> {
    if !address.is_multiple_of(WORD) {
        return Err(Errno::EINVAL);
    }
    Ok(memory::load(address)?)
}

/// Changes a word at once; gives what it was.
fn update(address: u64, mut change: impl FnMut(u32) -> Result<u32>) -> Result<u32> {
    let mut old = load(address)?;
    loop {
        let found = memory::compare_exchange(address, old, change(old)?)?;
        if found == old {
            return Ok(old);
        }
        old = found;
    }
}

// PI futexes: the word holds the owner's thread number. Priorities do not exist here, so that inheritance is trivially right.

/// FUTEX_LOCK_PI and FUTEX_TRYLOCK_PI (`may_wait` false).
pub(crate) fn lock_pi(
    thread: &Thread,
    address: u64,
    deadline: Option<u64>,
    may_wait: bool,
    scope: Scope,
) -> Result<()> {
    loop {
        let old = load(address)?;
        if old & FUTEX_TID_MASK == thread.tid {
            return Err(Errno::EDEADLK);
        }
        if old & FUTEX_TID_MASK == 0 {
            let new = thread.tid | (old & (FUTEX_WAITERS | FUTEX_OWNER_DIED));
            if memory::compare_exchange(address, old, new)? == old {
                return Ok(());
            }
            continue;
        }
        if !may_wait {
            return Err(Errno::EAGAIN);
        }
        if crate::process::table::thread(old & FUTEX_TID_MASK).is_none() {
            return Err(Errno::ESRCH);
        }
        let waited = old | FUTEX_WAITERS;
        if old != waited && memory::compare_exchange(address, old, waited)? != old {
            continue;
        }
        match wait(thread, address, waited, FUTEX_BITSET_MATCH_ANY, deadline, scope) {
            Ok(()) | Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error),
        }
    }
}

/// FUTEX_UNLOCK_PI.
pub(crate) fn unlock_pi(thread: &Thread, address: u64, scope: Scope) -> Result<()> {
    if load(address)? & FUTEX_TID_MASK != thread.tid {
        return Err(Errno::EPERM);
    }
    // All look again: whoever does not get it marks it as waited for.
    update(address, |_| Ok(0))?;
    wake(&thread.process, address, u32::MAX, FUTEX_BITSET_MATCH_ANY, scope);
    Ok(())
}

/// At a thread's end: marks the locks that it holds (set_robust_list(2)).
pub(crate) fn release_robust_list(thread: &Thread) {
    let head_address = thread.robust_list.load(Ordering::Relaxed);
    let Ok(Some(head)) = user::get_if::<RobustListHead>(head_address) else {
        return;
    };
    let mut next = head.next;
    // A list that a program has looped ends somewhere.
    for _ in 0..ROBUST_LIST_LIMIT {
        if next & !1 == head_address {
            break;
        }
        let entry = next & !1;
        let Ok(after) = user::get::<u64>(entry) else {
            return;
        };
        if entry != head.pending & !1 {
            release_robust(thread, entry.wrapping_add_signed(head.futex_offset));
        }
        next = after;
    }
    if head.pending != 0 {
        release_robust(thread, (head.pending & !1).wrapping_add_signed(head.futex_offset));
    }
}

fn release_robust(thread: &Thread, address: u64) {
    let Ok(word) = load(address) else { return };
    if word & FUTEX_TID_MASK != thread.tid {
        return;
    }
    let marked = update(address, |old| Ok((old & FUTEX_WAITERS) | FUTEX_OWNER_DIED));
    if marked.is_ok_and(|old| old & FUTEX_WAITERS != 0) {
        for scope in [Scope::Private, Scope::Shared] {
            wake(&thread.process, address, 1, FUTEX_BITSET_MATCH_ANY, scope);
        }
    }
}

/// The deadline on CLOCK_MONOTONIC of an absolute time on CLOCK_REALTIME.
pub(crate) fn deadline_of_realtime(at: u64) -> u64 {
    clock::monotonic().saturating_add(at.saturating_sub(clock::realtime()))
}
