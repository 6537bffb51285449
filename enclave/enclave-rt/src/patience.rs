//! Waiting without leaving the enclave, for a short while, where it pays.
//!
//! To wake a thread that blocks in the host takes two exits, two system calls and, if its processor sleeps, tens of microseconds
//! more. So a thread that is going to wait first looks for as long as that would take whether somebody wakes it. If nobody did, it
//! waits in the host, and next time it does not look: after each look in vain it leaves twice as many out, and after one that paid
//! it leaves out none. Where threads wait long, or have one processor together, looks are rare; where two answer each other on
//! two processors, each look pays.

use core::sync::atomic::{AtomicU32, Ordering};

use enclave_layout::MAX_SLOTS;

use crate::processor;
use crate::thread::ThreadNumber;

/// How long a look takes at most, in ticks of the time-stamp counter: some 40 µs.
const TICKS: u64 = 100_000;
/// The same in rounds, for a counter that stands still.
const ROUNDS: u32 = 10_000;
/// Most looks that are left out in a row.
const MAX_LEFT_OUT: u32 = 255;

/// What a thread has learnt. Only the thread itself uses it.
struct Patience {
    /// How many looks are left out after one in vain.
    interval: AtomicU32,
    /// How many are to be left out now.
    left_out: AtomicU32,
}

impl Patience {
    const fn new() -> Self {
        Self {
            interval: AtomicU32::new(0),
            left_out: AtomicU32::new(0),
        }
    }

    /// Whether it is time to look; else one look less is left out.
    fn is_due(&self) -> bool {
        let left_out = self.left_out.load(Ordering::Relaxed);
        self.left_out.store(left_out.saturating_sub(1), Ordering::Relaxed);
        left_out == 0
    }

    /// A look has paid, or not.
    fn learn(&self, has_paid: bool) {
        let interval = match has_paid {
            true => 0,
            false => (self.interval.load(Ordering::Relaxed) * 2 + 1).min(MAX_LEFT_OUT),
        };
        self.interval.store(interval, Ordering::Relaxed);
        self.left_out.store(interval, Ordering::Relaxed);
    }
}

static PATIENCE: [Patience; MAX_SLOTS as usize] = [const { Patience::new() }; MAX_SLOTS as usize];

/// Looks for a while whether `is_over`, if that has paid before or it is time to try again.
pub(crate) fn look(is_over: impl Fn() -> bool) {
    let own = &PATIENCE[ThreadNumber::current().index()];
    if own.is_due() {
        own.learn(looks_until(is_over));
    }
}

fn looks_until(is_over: impl Fn() -> bool) -> bool {
    let begin = processor::timestamp();
    for _ in 0..ROUNDS {
        if is_over() {
            return true;
        }
        core::hint::spin_loop();
        if processor::timestamp().wrapping_sub(begin) > TICKS {
            break;
        }
    }
    is_over()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many waits pass until the next look.
    fn left_out(patience: &Patience) -> usize {
        (0..).find(|_| patience.is_due()).unwrap()
    }

    #[test]
    fn looks_become_rare_when_they_are_in_vain_and_common_when_they_pay() {
        let patience = Patience::new();
        assert_eq!(left_out(&patience), 0);
        let mut found = Vec::new();
        for _ in 0..10 {
            patience.learn(false);
            found.push(left_out(&patience));
        }
        assert_eq!(found, [1, 3, 7, 15, 31, 63, 127, 255, 255, 255]);
        patience.learn(true);
        assert_eq!([left_out(&patience), left_out(&patience)], [0, 0]);
        patience.learn(false);
        assert_eq!(left_out(&patience), 1);
    }
}
