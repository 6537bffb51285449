//! The time.
//!
//! Between two readings of the host's clocks, time advances with the time-stamp counter; at a reading, the monotonic clock may be
//! held or stepped forward, never back, whatever the host says. A hypervisor can set the counter back, so the greatest monotonic time
//! that was given to anybody is kept, and nobody is given less. The host may still lie about the date and about how
//! fast time passes: it owns every clock, and the counter's frequency is its claim.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use enclave_rt::{call, processor};
use host_abi::ClockRead;

use crate::{SpinLock, Timestamp};

/// Nanoseconds per second.
pub const SECOND: u64 = 1_000_000_000;

/// How long the counter is followed before the host's clocks are read again, in nanoseconds.
const RESYNC: u64 = enclave_rt::vdso::FRESH;

/// Time as a function of the counter: `base + (counter - counter_base) * rate / 2^32`. The vDSO reads the
/// fields too.
#[repr(C)]
struct Pace {
    sequence: AtomicU32,
    counter: AtomicU64,
    monotonic: AtomicU64,
    realtime: AtomicU64,
    rate: AtomicU64,
    greatest: Greatest,
}

/// The greatest monotonic time that was given. In a cache line of its own: every reader writes it.
#[repr(C, align(64))]
struct Greatest(AtomicU64);

impl Greatest {
    /// The time to give at `now`.
    fn give(&self, now: u64) -> u64 {
        // One value that nothing else depends on.
        self.0.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
const _: () = {
    use core::mem::offset_of;
    let offsets = [
        offset_of!(Pace, sequence),
        offset_of!(Pace, counter),
        offset_of!(Pace, monotonic),
        offset_of!(Pace, realtime),
        offset_of!(Pace, rate),
        offset_of!(Pace, greatest),
    ];
    let mut field = 0;
    while field < offsets.len() {
        assert!(offsets[field] == enclave_rt::vdso::PACE_FIELDS[field]);
        field += 1;
    }
};

static PACE: Pace = Pace {
    sequence: AtomicU32::new(0),
    counter: AtomicU64::new(0),
    monotonic: AtomicU64::new(0),
    realtime: AtomicU64::new(0),
    rate: AtomicU64::new(0),
    greatest: Greatest(AtomicU64::new(0)),
};

/// Held while the pace changes; the value is where the host's monotonic clock stood at start.
static WRITER: SpinLock<u64> = SpinLock::new(0);

/// The pace at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    counter: u64,
    monotonic: u64,
    realtime: u64,
    /// Nanoseconds per tick, times 2^32.
    rate: u64,
}

impl Reading {
    /// Nanoseconds since the reading.
    fn elapsed(&self, counter: u64) -> u64 {
        let ticks = counter.saturating_sub(self.counter);
        let elapsed = (u128::from(ticks) * u128::from(self.rate)) >> 32;
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }
}

/// A time that the counter may put anywhere: no later than Linux's clocks go.
fn later(time: u64, elapsed: u64) -> u64 {
    const LAST: u64 = i64::MAX as u64;
    time.saturating_add(elapsed).min(LAST)
}

/// Starts the clock. `frequency` in Hz is the host's claim about the counter.
pub fn start(frequency: u64) {
    // Slower than 100 MHz or faster than 10 GHz no such counter is: fall back to what most run at.
    let frequency = if (100_000_000..10_000_000_000).contains(&frequency) {
        frequency
    } else {
        2_000_000_000
    };
    PACE.rate.store(
        ((u128::from(SECOND) << 32) / u128::from(frequency)) as u64,
        Ordering::Relaxed,
    );
    synchronise();
}

/// CLOCK_MONOTONIC (and CLOCK_BOOTTIME), nanoseconds.
pub fn monotonic() -> u64 {
    let (reading, elapsed) = now();
    PACE.greatest.give(later(reading.monotonic, elapsed))
}

/// CLOCK_REALTIME, nanoseconds since 1970.
pub fn realtime() -> u64 {
    let (reading, elapsed) = now();
    later(reading.realtime, elapsed)
}

/// CLOCK_REALTIME for file times.
pub fn timestamp() -> Timestamp {
    let now = realtime();
    Timestamp {
        seconds: (now / SECOND) as i64,
        nanoseconds: (now % SECOND) as u32,
    }
}

/// Where the pace lies, for the vDSO.
pub fn pace_address() -> u64 {
    &raw const PACE as u64
}

fn reading() -> Reading {
    loop {
        let before = PACE.sequence.load(Ordering::Acquire);
        let reading = Reading {
            counter: PACE.counter.load(Ordering::Relaxed),
            monotonic: PACE.monotonic.load(Ordering::Relaxed),
            realtime: PACE.realtime.load(Ordering::Relaxed),
            rate: PACE.rate.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        if before.is_multiple_of(2) && PACE.sequence.load(Ordering::Relaxed) == before {
            return reading;
        }
        core::hint::spin_loop();
    }
}

fn now() -> (Reading, u64) {
    let reading = reading();
    let elapsed = reading.elapsed(processor::timestamp());
    if elapsed < RESYNC {
        return (reading, elapsed);
    }
    synchronise();
    let reading = self::reading();
    (reading, reading.elapsed(processor::timestamp()))
}

/// Reads the host's clocks and sets the pace anew.
pub fn synchronise() {
    let before = processor::timestamp();
    let clocks = call::call(&ClockRead);
    let counter = processor::timestamp();
    let writer = WRITER.lock();
    let old = reading();
    let elapsed = old.elapsed(counter);
    let (monotonic, realtime) = match clocks {
        Ok(clocks) => {
            // The reading lies between `before` and `counter`; by half the way it is off the least.
            let delay = old.elapsed(old.counter.saturating_add(counter.saturating_sub(before))) / 2;
            let floor = later(old.monotonic, elapsed);
            (
                later(clocks.monotonic, delay).max(floor),
                later(clocks.realtime, delay),
            )
        }
        Err(_) => (later(old.monotonic, elapsed), later(old.realtime, elapsed)),
    };
    PACE.sequence.fetch_add(1, Ordering::AcqRel);
    PACE.counter.store(counter, Ordering::Relaxed);
    PACE.monotonic.store(monotonic, Ordering::Relaxed);
    PACE.realtime.store(realtime, Ordering::Relaxed);
    PACE.sequence.fetch_add(1, Ordering::Release);
    drop(writer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_stands_still_while_the_counter_is_behind() {
        let greatest = Greatest(AtomicU64::new(0));
        let given = [100, 170, 30, 99, 171, 0].map(|now| greatest.give(now));
        assert_eq!(given, [100, 170, 170, 170, 171, 171]);
    }

    #[test]
    fn a_counter_that_leaps_stops_at_the_last_moment() {
        let (counter, monotonic, realtime, rate) = (10, 5, 7, u64::MAX);
        let reading = Reading {
            counter,
            monotonic,
            realtime,
            rate,
        };
        assert_eq!(reading.elapsed(9), 0);
        assert_eq!(later(monotonic, reading.elapsed(u64::MAX)), i64::MAX as u64);
    }
}
