//! The waking of a thread that is blocked in the host.
//!
//! Each thread has a token. Whoever wakes a thread sets it and looks where the thread is; a thread says where it is and
//! then looks at the token. Both orders are sequentially consistent, so one of them sees the other. In a
//! system call other than the wait for the token itself, the waking signal does the rest (`sgx_platform::interruptible`).

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, Release, SeqCst};

use host_abi::Wait;
use sgx_platform::{Interrupter, interruptible};

use crate::kernel::{self, Deadline};

/// A thread does not block.
const RUNNING: u32 = 0;
/// A thread waits for its token.
const PARKED: u32 = 1;
/// A thread is in a blocking system call.
const BLOCKED: u32 = 2;

/// A thread's token and where it is.
#[derive(Debug, Default)]
pub(crate) struct Waker {
    token: AtomicU32,
    place: AtomicU32,
    interrupter: OnceLock<Interrupter>,
}

impl Waker {
    /// Says how the thread is interrupted; the first host thread of a slot stays its only one.
    pub(crate) fn set_interrupter(&self, interrupter: Interrupter) {
        let _ = self.interrupter.set(interrupter);
    }

    /// Ends the thread's wait, or its next one.
    pub(crate) fn wake(&self) {
        self.token.store(1, SeqCst);
        match self.place.load(SeqCst) {
            PARKED => self.wake_futex(),
            BLOCKED => self.interrupt(),
            _ => {}
        }
    }

    /// Wakes the thread if it is blocked now.
    pub(crate) fn wake_if_blocked(&self) -> bool {
        let is_blocked = self.place.load(SeqCst) != RUNNING;
        if is_blocked {
            self.wake();
        }
        is_blocked
    }

    /// Interrupts the thread, wherever it is.
    pub(crate) fn interrupt(&self) {
        if let Some(interrupter) = self.interrupter.get() {
            interrupter.interrupt();
        }
    }

    /// Waits for the token and takes it. 0: it came, or for no reason; 1: time is up.
    pub(crate) fn park(&self, wait: Wait) -> i64 {
        self.place.store(PARKED, SeqCst);
        let mut end = 0;
        if self.token.load(SeqCst) == 0 {
            let limit = match Deadline::of(wait) {
                Deadline::Now => return self.parked(1),
                Deadline::At(end) => Some(kernel::timespec(end)),
                Deadline::Never => None,
            };
            // An absolute end on CLOCK_MONOTONIC, which FUTEX_WAIT_BITSET takes.
            let operation = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
            let limit = kernel::timespec_address(limit.as_ref());
            let any = libc::FUTEX_BITSET_MATCH_ANY as u32;
            let args = [
                self.token.as_ptr() as u64,
                operation as u64,
                0,
                limit,
                0,
                any.into(),
            ];
            // SAFETY: a futex on a word that lives; the limit lives until the call is over.
            if unsafe { kernel::syscall(libc::SYS_futex, args) } == kernel::error(libc::ETIMEDOUT) {
                end = 1;
            }
        }
        self.parked(end)
    }

    fn parked(&self, end: i64) -> i64 {
        self.place.store(RUNNING, SeqCst);
        if self.token.swap(0, SeqCst) == 0 { end } else { 0 }
    }

    /// Makes a system call that may block; EINTR if the token is set or comes meanwhile, which takes it. EINTR may
    /// also come for no reason.
    ///
    /// # Safety
    /// As of the system call.
    pub(crate) unsafe fn blocking(&self, number: libc::c_long, args: [u64; 6]) -> i64 {
        self.place.store(BLOCKED, SeqCst);
        // SAFETY: the caller's promise.
        let result = unsafe { interruptible::syscall(&self.token, number, args) };
        // Who wakes the thread after this does so once too often. A token that came too late was for this call.
        self.place.store(RUNNING, Release);
        if self.token.load(Relaxed) != 0 {
            self.token.store(0, Relaxed);
        }
        result
    }

    fn wake_futex(&self) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        let args = [self.token.as_ptr() as u64, operation as u64, 1, 0, 0, 0];
        // SAFETY: a futex on a word that lives.
        unsafe { kernel::syscall(libc::SYS_futex, args) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_token_ends_the_next_wait_once() {
        let waker = Waker::default();
        waker.wake();
        assert_eq!(waker.park(Wait::FOREVER), 0);
        assert_eq!(waker.park(Wait::NONE), 1);
        let start = Instant::now();
        assert_eq!(waker.park(Wait::nanoseconds(2_000_000)), 1);
        assert!(start.elapsed() >= Duration::from_millis(2));
    }

    #[test]
    fn no_wake_up_is_lost() {
        let waker = Waker::default();
        let rounds = 20_000;
        let left = AtomicU32::new(rounds);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while left.load(SeqCst) != 0 {
                    waker.park(Wait::FOREVER);
                    left.fetch_sub(1, SeqCst);
                }
            });
            for round in (0..rounds).rev() {
                waker.wake();
                while left.load(SeqCst) > round {
                    std::hint::spin_loop();
                }
            }
        });
    }
}
