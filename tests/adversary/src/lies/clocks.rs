//! Lies about the time.

use host_abi::CallCode::{self, *};

use super::Answer::{Extra, Instead, Random, Stale, Value};
use super::When::{Always, Every};
use super::{Boot, EINTR, EPERM, End, Lie, RIGHT, Tell, answer};

const CLOCK: &[CallCode] = &[ClockRead];
const PARK: &[CallCode] = &[Park];
const STARVED: &[End] = &[End::Right, End::Starved];
/// CLOCK_MONOTONIC, CLOCK_REALTIME.
const MONOTONIC: usize = 0;
const REALTIME: usize = 1;
const LAST: u64 = i64::MAX as u64;

/// Offset of the counter's frequency in the boot information.
const TSC_HZ: usize = 32;

const fn frequency(name: &'static str, hz: u64, ends: &'static [End]) -> Lie {
    Lie {
        name,
        guest: "clocks",
        tell: Tell::Boot(Boot::Word(TSC_HZ, hz)),
        ends,
    }
}

const fn counter_back(name: &'static str, ticks: u64) -> Lie {
    Lie {
        name,
        guest: "clocks",
        tell: Tell::CounterBack(ticks),
        ends: RIGHT,
    }
}

pub(super) const LIES: &[Lie] = table! {
    answer("clocks/stopped", "clocks", CLOCK, Always, Instead(0, [5, 7]), RIGHT),
    answer("clocks/zero", "clocks", CLOCK, Always, Instead(0, [0, 0]), RIGHT),
    answer("clocks/back-sometimes", "clocks", CLOCK, Every(2), Instead(0, [1, 1]), RIGHT),
    answer("clocks/stale", "clocks", CLOCK, Every(2), Stale, RIGHT),
    answer("clocks/last-moment", "clocks", CLOCK, Always, Instead(0, [LAST, LAST]), STARVED),
    answer("clocks/monotonic-leaps", "clocks", CLOCK, Every(2), Extra(MONOTONIC, LAST - 1), STARVED),
    answer("clocks/date-leaps", "clocks", CLOCK, Every(2), Extra(REALTIME, LAST), RIGHT),
    answer("clocks/beyond", "clocks", CLOCK, Always, Instead(0, [LAST + 1, LAST + 1]), RIGHT),
    answer("clocks/all-ones", "clocks", CLOCK, Every(2), Instead(0, [u64::MAX, u64::MAX]), RIGHT),
    answer("clocks/random", "clocks", CLOCK, Every(2), Random, STARVED),
    answer("clocks/value", "clocks", CLOCK, Always, Value(1), RIGHT),
    answer("clocks/error", "clocks", CLOCK, Always, Instead(EPERM, [0; 2]), RIGHT),
    answer("clocks/error-unknown", "clocks", CLOCK, Every(2), Instead(i64::MIN, [9, 9]), RIGHT),
    answer("clocks/sleeps-end-at-once", "clocks", PARK, Always, Instead(0, [0; 2]), RIGHT),
    answer("clocks/sleeps-time-out-at-once", "clocks", PARK, Always, Instead(1, [0; 2]), RIGHT),
    answer("clocks/sleeps-interrupted", "clocks", PARK, Always, Instead(EINTR, [0; 2]), RIGHT),
    answer("clocks/sleeps-refused", "clocks", PARK, Always, Instead(EPERM, [0; 2]), RIGHT),
    answer("clocks/sleeps-impossible", "clocks", PARK, Always, Instead(77, [0; 2]), RIGHT),
    frequency("clocks/frequency-0", 0, RIGHT),
    frequency("clocks/frequency-1", 1, RIGHT),
    frequency("clocks/frequency-slow", 100_000_000, STARVED),
    frequency("clocks/frequency-fast", 9_999_999_999, RIGHT),
    frequency("clocks/frequency-huge", u64::MAX, RIGHT),
    counter_back("clocks/counter-back-a-little", 1 << 14),
    counter_back("clocks/counter-back", 1 << 27),
    counter_back("clocks/counter-back-for-ever", 1 << 62),
};
