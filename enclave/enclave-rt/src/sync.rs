//! Locks.
//!
//! [`SpinLock`] is for a few instructions and is never held across a host call (the heap's growth is the exception,
//! see `heap.rs`). [`Mutex`] spins a little, then parks. Neither is poisoned: a panic ends the enclave.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use host_abi::Wait;

use crate::thread::{self, ThreadNumber};

/// A lock for a few instructions.
pub struct SpinLock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// An open lock.
    pub const fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> SpinGuard<'_, T> {
        while self
            .taken
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            while self.taken.load(Ordering::Relaxed) {
                core::hint::spin_loop();
            }
        }
        SpinGuard { lock: self }
    }
}

/// Holds a [`SpinLock`].
pub struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.taken.store(false, Ordering::Release);
    }
}

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const CONTENDED: u32 = 2;

/// How often a mutex is tried before its thread parks: about a microsecond, less than parking costs.
const TRIES: u32 = 100;

/// A lock that parks.
pub struct Mutex<T: ?Sized> {
    state: AtomicU32,
    waiters: SpinLock<Vec<ThreadNumber>>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: as above; nothing in a mutex is bound to a thread.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    /// An open lock.
    pub const fn new(value: T) -> Self {
        let waiters = SpinLock::new(Vec::new());
        Self {
            state: AtomicU32::new(FREE),
            waiters,
            value: UnsafeCell::new(value),
        }
    }

    /// The value, when nobody else can have it.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if self
            .state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.lock_contended();
        }
        MutexGuard { lock: self }
    }

    /// The lock, if it is open.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let taken = self
            .state
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then_some(MutexGuard { lock: self })
    }

    #[cold]
    fn lock_contended(&self) {
        for _ in 0..TRIES {
            if self
                .state
                .compare_exchange_weak(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                return;
            }
            core::hint::spin_loop();
        }
        let me = ThreadNumber::current();
        loop {
            self.waiters.lock().push(me);
            // Whoever holds the lock now, or takes it before this thread, sees that it has to wake someone.
            if self.state.swap(CONTENDED, Ordering::Acquire) == FREE {
                self.waiters.lock().retain(|&waiter| waiter != me);
                return;
            }
            thread::park(Wait::FOREVER);
            self.waiters.lock().retain(|&waiter| waiter != me);
        }
    }

    fn unlock(&self) {
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            let next = self.waiters.lock().first().copied();
            if let Some(next) = next {
                thread::wake(next);
            }
        }
    }
}

/// Holds a [`Mutex`].
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a Mutex<T>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.unlock();
    }
}

/// A value that is made once, by whoever needs it first.
pub struct Once<T> {
    state: AtomicU32,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: written once, under its state; only shared references after that.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// Not made yet.
    pub const fn new() -> Self {
        Self {
            state: AtomicU32::new(0),
            value: UnsafeCell::new(None),
        }
    }

    /// The value, if it has been made.
    pub fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != 2 {
            return None;
        }
        // SAFETY: state 2: written, and never again.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value, made now if it has not been. `make` must be short: others spin.
    pub fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        if self
            .state
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
        {
            // SAFETY: state 1: this thread alone makes the value.
            unsafe { *self.value.get() = Some(make()) };
            self.state.store(2, Ordering::Release);
        }
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            core::hint::spin_loop();
        }
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}
