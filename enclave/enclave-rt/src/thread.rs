//! Threads: the host lends them, the enclave says what they do.
//!
//! A thread of the enclave is one TCS with its slot. [`spawn`] queues what a new thread is to do and asks the host
//! for one; whichever TCS the host enters takes the next from the queue, and one that finds none leaves again. So
//! a host can refuse to start threads, but not make one do anything else.
//!
//! # Waiting
//! A thread that has to wait blocks in the host ([`park`], or any call by [`crate::call::blocking`]). [`wake`] leaves a token:
//! it ends the current wait, or else the next one. Waits may end for no reason; whoever waits looks again.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_layout::{MAX_SLOTS, Slot};
use host_abi::{Errno, Interrupt, Park, Spawn, Unpark, Wait};

use crate::area::ThreadArea;
use crate::call;
use crate::entry;
use crate::handlers;
use crate::outbox;
use crate::patience;
use crate::sync::SpinLock;
use crate::token::Token;

/// What a new thread does.
pub type Start = Box<dyn FnOnce() + Send>;

/// What new threads are to do, in the order of asking.
struct Starts {
    queue: VecDeque<(u64, Start)>,
    next_ticket: u64,
}

impl Starts {
    fn add(&mut self, start: Start) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.push_back((ticket, start));
        ticket
    }

    fn take(&mut self) -> Option<Start> {
        self.queue.pop_front().map(|(_, start)| start)
    }

    fn withdraw(&mut self, ticket: u64) -> Option<Start> {
        let at = self.queue.iter().position(|(queued, _)| *queued == ticket)?;
        self.queue.remove(at).map(|(_, start)| start)
    }
}

static STARTS: SpinLock<Starts> = SpinLock::new(Starts {
    queue: VecDeque::new(),
    next_ticket: 0,
});
static BOOTED: AtomicBool = AtomicBool::new(false);

/// Starts a thread. EAGAIN if every TCS is in use: the enclave was converted with too few threads.
pub fn spawn(start: Start) -> Result<(), Errno> {
    let ticket = STARTS.lock().add(start);
    let Err(_) = call::call(&Spawn) else {
        return Ok(());
    };
    // A thread that runs was started, whatever the host says: a program that believed otherwise would free its stack.
    let withdrawn = STARTS.lock().withdraw(ticket);
    match withdrawn {
        Some(_) => Err(Errno::EAGAIN),
        None => Ok(()),
    }
}

pub(crate) extern "C" fn thread_main(call_area: u64) {
    if call::accept_area(call_area).is_none() {
        return;
    }
    ThreadArea::initialize(call_area);
    BORROWED[ThreadNumber::current().index()].store(false, Ordering::Relaxed);
    if !BOOTED.swap(true, Ordering::AcqRel) {
        handlers::kernel().boot();
    }
    let start = STARTS.lock().take();
    if let Some(start) = start {
        start();
    }
}

/// A thread's number: its slot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadNumber(u32);

impl ThreadNumber {
    /// The calling thread.
    pub fn current() -> Self {
        Self(ThreadArea::current().slot().index() as u32)
    }

    /// The number.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The thread with this number, which is below [`MAX_SLOTS`].
    pub(crate) fn from_index(index: u64) -> Option<Self> {
        (index < MAX_SLOTS).then_some(Self(index as u32))
    }

    pub(crate) fn area(self) -> &'static ThreadArea {
        let slot = Slot::new(self.0.into()).expect("a thread's number is a slot's");
        // SAFETY: the GS page of a slot that a thread runs on, or has run on: measured memory that stays.
        unsafe { &*(slot.gs() as *const ThreadArea) }
    }

    /// Whether the thread blocks in the host now. It was there after everything that it did before, and before everything that it will do.
    pub fn is_blocked(self) -> bool {
        token(self).is_blocked()
    }

    /// Makes the thread look at what is pending ([`handlers::Kernel::syscall_pending`] or `trap_pending`) before its program
    /// goes on, wherever it is: ends its wait, or interrupts it.
    pub fn notify(self) {
        self.area().pending.store(1, Ordering::Release);
        if self == Self::current() {
            return;
        }
        if !wake(self) {
            // A thread that runs its program does not look by itself. If the host does not interrupt it, it
            // looks at its next system call.
            let _ = call::call(&Interrupt { slot: self.0 });
        }
    }
}

/// The calling thread has looked at what is pending.
pub fn clear_pending() {
    ThreadArea::current().pending.store(0, Ordering::Relaxed);
    core::sync::atomic::fence(Ordering::SeqCst);
}

/// Whether something is pending for the calling thread.
pub fn is_pending() -> bool {
    ThreadArea::current().pending.load(Ordering::Acquire) != 0
}

/// Makes the calling thread look at what is pending on its way back to its program.
pub fn set_pending() {
    ThreadArea::current().pending.store(1, Ordering::Release);
}

/// Takes the signals (bit `n - 1` for signal `n`) that the host has passed to the calling thread.
pub fn take_host_signals() -> u64 {
    ThreadArea::current().host_signals.swap(0, Ordering::Relaxed)
}

/// Lets no thread that the host enters from now on go on in the enclave: it leaves at once. The calling thread can make one more host
/// call, from which it does not return. Threads that are inside stop at their next exit.
pub fn refuse_entries() {
    entry::DEAD.store(true, Ordering::Release);
}

/// Ends the calling thread, whatever is on its stack: nothing there is dropped.
pub fn end() -> ! {
    entry::thread_end()
}

/// A value for each thread, which only that thread sees.
pub struct PerThread<T: 'static> {
    values: [UnsafeCell<Option<T>>; MAX_SLOTS as usize],
}

// SAFETY: each cell is used by the thread that runs on its slot alone.
unsafe impl<T: Send> Sync for PerThread<T> {}

/// Whether a thread is inside [`PerThread::with`].
static BORROWED: [AtomicBool; MAX_SLOTS as usize] = [const { AtomicBool::new(false) }; MAX_SLOTS as usize];

impl<T> PerThread<T> {
    /// No thread has a value.
    pub const fn new() -> Self {
        Self {
            values: [const { UnsafeCell::new(None) }; MAX_SLOTS as usize],
        }
    }

    /// Hands the calling thread's value to `f`, which may end the thread instead of returning.
    ///
    /// # Panics
    /// If the thread has none.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let thread = ThreadNumber::current().index();
        // Not a swap: nobody else looks at this thread's flag, and a locked instruction takes longer than all the rest.
        let outer = BORROWED[thread].load(Ordering::Relaxed);
        BORROWED[thread].store(true, Ordering::Relaxed);
        // SAFETY: this thread's own cell; `set` does not change it while it is borrowed.
        let value = unsafe { &*self.values[thread].get() };
        let result = f(value.as_ref().expect("the thread has a value"));
        BORROWED[thread].store(outer, Ordering::Relaxed);
        result
    }

    /// As [`Self::with`]; `None` if the thread has no value.
    pub fn try_with<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let thread = ThreadNumber::current().index();
        // SAFETY: this thread's own cell, and the reference ends here.
        let has_value = unsafe { (*self.values[thread].get()).is_some() };
        has_value.then(|| self.with(f))
    }

    /// Sets the calling thread's value.
    ///
    /// # Panics
    /// Within [`PerThread::with`].
    pub fn set(&self, value: T) {
        let thread = ThreadNumber::current().index();
        assert!(
            !BORROWED[thread].load(Ordering::Relaxed),
            "a thread's value changes while it is used"
        );
        // SAFETY: this thread's own cell, and nobody has a reference into it.
        unsafe { *self.values[thread].get() = Some(value) };
    }
}

impl<T> Default for PerThread<T> {
    fn default() -> Self {
        Self::new()
    }
}

static TOKENS: [Token; MAX_SLOTS as usize] = [const { Token::new() }; MAX_SLOTS as usize];

pub(crate) fn token(thread: ThreadNumber) -> &'static Token {
    &TOKENS[thread.index()]
}

/// Waits for [`wake`], at most this long. May return early.
pub fn park(wait: Wait) {
    // Not before a wait that is about as short, nor while what was posted waits.
    if outbox::is_empty() && wait.limit().is_none_or(|limit| limit > 200_000) {
        let own = token(ThreadNumber::current());
        patience::look(|| own.is_there() || is_pending());
    }
    // Whatever the host says of how it ended: whoever waits looks for itself.
    let _ = call::blocking(&Park { wait });
}

/// Ends a thread's wait, or its next one. Whether it was blocked.
pub fn wake(thread: ThreadNumber) -> bool {
    let was_blocked = token(thread).leave();
    if was_blocked {
        let _ = call::call(&Unpark { slot: thread.0 });
    }
    was_blocked
}
