//! A host that steps through threads, and interrupts them at any instruction: in programs, and where the LibOS is entered and left.

use super::{Lie, RIGHT, Tell};

/// Enough for a program's start, its C library's included, and for much of what these programs do.
const MANY: u64 = 100_000;
/// Enough for a start: the guests of the conformance suite are many (`tests/stepped.rs`).
const FEW: u64 = 50_000;

const fn steps(name: &'static str, guest: &'static str, count: u64) -> Lie {
    Lie {
        name,
        guest,
        tell: Tell::Steps(count),
        ends: RIGHT,
    }
}

pub(super) const LIES: &[Lie] = table! {
    steps("steps/few", "streams", FEW),
    steps("steps/streams", "streams", MANY),
    steps("steps/threads", "threads", MANY),
    steps("steps/registers", "registers", MANY),
    steps("steps/pages", "pages", MANY),
    steps("steps/poll", "poll", MANY),
    steps("steps/sockets", "sockets", MANY),
};
