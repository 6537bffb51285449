//! Turns: which space of a family is resident, and for how long.
//!
//! A thread that may touch its space's memory, in its program or in the LibOS, is *pinned* ([`Pin`]). It is so always but while it waits
//! ([`AddressSpace::unpin`], [`AddressSpace::pin`]), and nobody waits for a turn under a lock. Another space becomes resident once no
//! thread is pinned to the present one: because all of them wait, or because its time is over and each has been made to pass
//! [`AddressSpace::gate`] on its way back to its program.
//!
//! A thread pins itself and then looks whether the family is open for its space; who takes the turn closes the family and then looks
//! who is pinned. Both are sequentially consistent, so one of them sees the other.
//!
//! # Trust
//! The enclave's clock and what it has measured decide. The host interrupts and wakes threads: one that does not delays a turn, no more.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use enclave_rt::thread::{self, ThreadNumber};
use kobject::{Once, Result, SpinLock, Wait, clock};

use crate::AddressSpace;
use crate::space::SpaceId;

/// Nobody may pin: a turn is being taken, or no space is resident.
const CLOSED: SpaceId = 0;

/// Nanoseconds that a space keeps its turn at least and at most while others want theirs.
const MIN_SLICE: u64 = 1_000_000;
const MAX_SLICE: u64 = 100_000_000;
/// A slice is at least so many times as long as the exchange before it took: a twentieth of the time goes into exchanges at most.
const SLICE_PER_COST: u64 = 20;
/// A turn that costs more than this is not taken at once from a space whose threads all wait, but once they have waited for as long as
/// the turn costs: of several processes that wait for the same, the one in place is woken, too, and goes on for nothing.
const DEAR: u64 = 200_000;
/// How long whoever stops a space waits before it interrupts the threads once more.
const REMINDER: u64 = 1_000_000;
/// How often it looks before it parks: an interrupted thread comes within microseconds.
const LOOKS: u32 = 200;

/// What turns have taken since the start, for `--stats`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TurnCosts {
    /// How many there were.
    pub turns: u64,
    /// Pages exchanged.
    pub exchanged: u64,
    /// Pages found to be the same since a fork, and shared from then on.
    pub merged: u64,
    /// Pages copied by forks.
    pub forked: u64,
    /// Pages copied because somebody wrote to them first.
    pub diverged: u64,
    /// Nanoseconds of stops and exchanges.
    pub nanoseconds: u64,
}

static COSTS: SpinLock<TurnCosts> = SpinLock::new(TurnCosts {
    turns: 0,
    exchanged: 0,
    merged: 0,
    forked: 0,
    diverged: 0,
    nanoseconds: 0,
});

/// What turns have taken so far.
pub fn turn_costs() -> TurnCosts {
    *COSTS.lock()
}

/// Counts something.
pub(crate) fn count(add: impl FnOnce(&mut TurnCosts)) {
    add(&mut COSTS.lock());
}

/// Whether a thread may touch its space's memory.
pub struct Pin {
    pinned: AtomicBool,
    thread: Once<ThreadNumber>,
}

impl Pin {
    /// For a thread that has not begun.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            pinned: AtomicBool::new(false),
            thread: Once::new(),
        })
    }

    /// The calling thread is the one that it is for.
    pub fn begin(&self) {
        self.thread.get_or_make(ThreadNumber::current);
    }

    pub(crate) fn unpin(&self) {
        self.pinned.store(false, Ordering::SeqCst);
    }

    fn is_pinned(&self) -> bool {
        self.pinned.load(Ordering::SeqCst)
    }

    /// Makes its thread pass the gate.
    fn interrupt(&self) {
        if let Some(thread) = self.thread.get() {
            thread.notify();
        }
    }
}

/// Who takes turns in a family.
pub(crate) struct Turns {
    /// The space whose threads may pin, or [`CLOSED`].
    open: AtomicU64,
    /// Whether somebody waits for a turn, or for all pins to be gone.
    is_wanted: AtomicBool,
    /// Whether a thread has been pinned to the resident space since somebody looked.
    was_busy: AtomicBool,
    state: SpinLock<State>,
}

struct State {
    /// The space whose bytes lie in their places; [`CLOSED`] if it has ended.
    resident: SpaceId,
    /// Threads that wait for their spaces' turns, in the order of coming.
    queue: VecDeque<(SpaceId, ThreadNumber)>,
    /// The thread that waits for all pins to be gone: it has closed the family.
    stopper: Option<ThreadNumber>,
    /// All pins of the family's spaces.
    pins: Vec<(SpaceId, Arc<Pin>)>,
    /// When the turn began.
    since: u64,
    /// Since when nobody has been pinned, as far as was seen.
    idle_since: u64,
    /// What an exchange takes, a moving average in nanoseconds.
    cost: u64,
}

impl State {
    fn slice(&self) -> u64 {
        (self.cost * SLICE_PER_COST).clamp(MIN_SLICE, MAX_SLICE)
    }

    fn pinned(&self, but: Option<&Pin>) -> Vec<Arc<Pin>> {
        let pins = self.pins.iter().map(|(_, pin)| pin).filter(|pin| pin.is_pinned());
        pins.filter(|pin| but.is_none_or(|but| !core::ptr::eq(but, &***pin)))
            .cloned()
            .collect()
    }

    fn is_wanted(&self) -> bool {
        self.stopper.is_some() || !self.queue.is_empty()
    }

    /// Who has to look when a pin is gone.
    fn next(&self) -> Option<ThreadNumber> {
        self.stopper
            .or_else(|| self.queue.front().map(|&(_, thread)| thread))
    }
}

impl Turns {
    /// The one space of a new family is resident.
    pub(crate) fn new(space: SpaceId) -> Self {
        Self {
            open: AtomicU64::new(space),
            is_wanted: AtomicBool::new(false),
            was_busy: AtomicBool::new(false),
            state: SpinLock::new(State {
                resident: space,
                queue: VecDeque::new(),
                stopper: None,
                pins: Vec::new(),
                since: 0,
                idle_since: 0,
                cost: 0,
            }),
        }
    }

    /// Closes the family for `space`, which is the caller's, and waits until only the caller is pinned.
    ///
    /// # Errors
    /// As [`AddressSpace::pin`].
    pub(crate) fn stop(&self, space: &AddressSpace, caller: &Pin) -> Result<()> {
        loop {
            let closed = self
                .open
                .compare_exchange(space.id(), CLOSED, Ordering::SeqCst, Ordering::SeqCst);
            if closed.is_ok() {
                break;
            }
            // Another thread takes the turn, and waits for this one.
            space.unpin(caller);
            space.pin(caller)?;
        }
        self.wait_for_pins(Some(caller));
        Ok(())
    }

    /// Waits until nobody is pinned but the caller. The family is closed.
    fn wait_for_pins(&self, but: Option<&Pin>) {
        let mut looks = 0;
        let mut reminded = 0;
        loop {
            fence(Ordering::SeqCst);
            let pinned = {
                let mut state = self.state.lock();
                let pinned = state.pinned(but);
                state.stopper = (!pinned.is_empty()).then(ThreadNumber::current);
                self.is_wanted.store(state.is_wanted(), Ordering::SeqCst);
                pinned
            };
            if pinned.is_empty() {
                return;
            }
            let now = clock::monotonic();
            if now >= reminded {
                pinned.iter().for_each(|pin| pin.interrupt());
                reminded = now + REMINDER;
            }
            looks += 1;
            match looks < LOOKS {
                true => core::hint::spin_loop(),
                false => thread::park(Wait::nanoseconds(REMINDER)),
            }
        }
    }

    /// Opens the family for the resident space, after [`Self::stop`].
    pub(crate) fn reopen(&self, space: SpaceId) {
        let waiting = {
            let state = self.state.lock();
            self.open.store(space, Ordering::SeqCst);
            state.queue.iter().map(|&(_, thread)| thread).collect::<Vec<_>>()
        };
        waiting.into_iter().for_each(|thread| {
            thread::wake(thread);
        });
    }

    /// A space that was forked is resident, and the thread of `pin` pinned to it before it begins. After [`Self::stop`].
    pub(crate) fn adopt(&self, space: SpaceId, pin: &Arc<Pin>) {
        pin.pinned.store(true, Ordering::SeqCst);
        {
            let mut state = self.state.lock();
            state.pins.push((space, pin.clone()));
            state.resident = space;
            state.since = clock::monotonic();
        }
        self.reopen(space);
    }

    /// A space has ended.
    pub(crate) fn leave(&self, space: SpaceId) {
        let next = {
            let mut state = self.state.lock();
            state.pins.retain(|&(of, _)| of != space);
            state.queue.retain(|&(of, _)| of != space);
            if state.resident == space {
                state.resident = CLOSED;
                self.open.store(CLOSED, Ordering::SeqCst);
            }
            self.is_wanted.store(state.is_wanted(), Ordering::SeqCst);
            state.next()
        };
        if let Some(next) = next {
            thread::wake(next);
        }
    }
}

/// What a thread that waits for its turn does next.
enum Step {
    /// It is pinned.
    Pinned,
    /// It waits, at most this long.
    Wait(Wait),
    /// It has closed the family and takes the turn, once these are not pinned any more.
    Take,
}

impl AddressSpace {
    /// A thread is going to use this space.
    pub fn admit(&self, pin: &Arc<Pin>) {
        self.turns().state.lock().pins.push((self.id(), pin.clone()));
    }

    /// A thread, which is not pinned, uses this space no more.
    pub fn dismiss(&self, pin: &Pin) {
        let turns = self.turns();
        let next = {
            let mut state = turns.state.lock();
            state.pins.retain(|(_, other)| !core::ptr::eq(pin, &**other));
            state.next()
        };
        if let Some(next) = next {
            thread::wake(next);
        }
    }

    /// The calling thread does not touch the memory any more, because it waits.
    pub fn unpin(&self, pin: &Pin) {
        pin.unpin();
        fence(Ordering::SeqCst);
        let turns = self.turns();
        if turns.is_wanted.load(Ordering::SeqCst) {
            let next = turns.state.lock().next();
            if let Some(next) = next.filter(|&next| next != ThreadNumber::current()) {
                thread::wake(next);
            }
        }
    }

    /// The calling thread, which holds no lock, may touch the memory from here on: waits for the space's turn.
    ///
    /// # Errors
    /// ENOMEM: not all of the space could be brought in, so the process cannot go on. The thread is pinned.
    pub fn pin(&self, pin: &Pin) -> Result<()> {
        pin.pinned.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let turns = self.turns();
        if turns.open.load(Ordering::SeqCst) == self.id() {
            if turns.is_wanted.load(Ordering::Relaxed) {
                turns.was_busy.store(true, Ordering::Relaxed);
            }
            return Ok(());
        }
        pin.unpin();
        self.wait_for_turn(pin)
    }

    /// On the way back to the program: lets another space have its turn if it is its time.
    ///
    /// # Errors
    /// As [`Self::pin`].
    pub fn gate(&self, pin: &Pin) -> Result<()> {
        if self.turns().open.load(Ordering::SeqCst) == self.id() {
            return Ok(());
        }
        self.unpin(pin);
        self.pin(pin)
    }

    #[cold]
    fn wait_for_turn(&self, pin: &Pin) -> Result<()> {
        loop {
            match self.step(pin) {
                Step::Pinned => return Ok(()),
                Step::Wait(wait) => thread::park(wait),
                Step::Take => return self.take_turn(pin),
            }
        }
    }

    fn step(&self, pin: &Pin) -> Step {
        let turns = self.turns();
        let me = ThreadNumber::current();
        let mut state = turns.state.lock();
        let own = (self.id(), me);
        if turns.open.load(Ordering::SeqCst) == self.id() {
            pin.pinned.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if turns.open.load(Ordering::SeqCst) == self.id() {
                state.queue.retain(|&waiting| waiting != own);
                turns.is_wanted.store(state.is_wanted(), Ordering::SeqCst);
                let next = state.next();
                drop(state);
                // Whoever is first now times the slice.
                if let Some(next) = next.filter(|&next| next != me) {
                    thread::wake(next);
                }
                return Step::Pinned;
            }
            pin.unpin();
        }
        if !state.queue.contains(&own) {
            state.queue.push_back(own);
            turns.is_wanted.store(true, Ordering::SeqCst);
        }
        let is_first = state.queue.front() == Some(&own);
        if !is_first || state.stopper.is_some() {
            return Step::Wait(Wait::FOREVER);
        }
        let resident = state.resident;
        if resident == CLOSED || resident == self.id() {
            // Nobody has the turn, or this space had it when it was closed for a fork that failed, or by a thread that waits here too.
            let open = turns
                .open
                .compare_exchange(CLOSED, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
            return match (open, resident) {
                (Ok(_), CLOSED) => Step::Take,
                _ => Step::Wait(Wait::nanoseconds(REMINDER)),
            };
        }
        let over = state.since + state.slice();
        let now = clock::monotonic();
        let closed = turns
            .open
            .compare_exchange(resident, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        if closed.is_err() {
            // The resident space forks.
            return Step::Wait(Wait::nanoseconds(REMINDER));
        }
        fence(Ordering::SeqCst);
        if now >= over {
            return Step::Take;
        }
        let is_idle = state.pinned(None).is_empty();
        if turns.was_busy.swap(false, Ordering::Relaxed) || !is_idle || state.idle_since == 0 {
            state.idle_since = now;
        }
        let patience = if state.cost < DEAR { 0 } else { state.cost };
        let until = match is_idle {
            true => over.min(state.idle_since + patience),
            false => over,
        };
        if now >= until {
            return Step::Take;
        }
        turns.open.store(resident, Ordering::SeqCst);
        Step::Wait(Wait::nanoseconds(until - now))
    }

    /// Takes the turn, for which the family is closed.
    fn take_turn(&self, pin: &Pin) -> Result<()> {
        let turns = self.turns();
        let begin = clock::monotonic();
        turns.wait_for_pins(None);
        let resident = turns.state.lock().resident;
        let brought = self.bring_in(resident);
        pin.pinned.store(true, Ordering::SeqCst);
        let now = clock::monotonic();
        count(|costs| {
            costs.turns += 1;
            costs.nanoseconds += now - begin;
        });
        {
            let mut state = turns.state.lock();
            let own = (self.id(), ThreadNumber::current());
            state.queue.retain(|&waiting| waiting != own);
            state.resident = self.id();
            state.since = now;
            state.idle_since = 0;
            state.cost = (state.cost * 3 + (now - begin)) / 4;
            turns.is_wanted.store(state.is_wanted(), Ordering::SeqCst);
        }
        turns.reopen(self.id());
        brought
    }
}
