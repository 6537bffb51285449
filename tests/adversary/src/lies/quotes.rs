//! Lies about the quoting enclave and its quotes.

use host_abi::CallCode::{self, *};
use host_abi::STAGING_SIZE;

use super::Answer::{Filled, Instead, Noise, Random, Replayed, Shifted, Staged, Stale, Value};
use super::When::{Always, Every, Only};
use super::threads::RACE;
use super::{EAGAIN, EINTR, EIO, ENOMEM, EPERM, End, Lie, RIGHT, Tell, answer};

const BOTH: &[CallCode] = &[QuoteTarget, Quote];
const TARGET: &[CallCode] = &[QuoteTarget];
const QUOTE: &[CallCode] = &[Quote];
const ENODEV: i64 = -19;
const EACCES: i64 = -13;

/// Where the report's body begins in a quote, its data, and where it ends.
const BODY: usize = 48;
const DATA: usize = BODY + 320;
const BODY_END: usize = BODY + 384;
const WHOLE: i64 = STAGING_SIZE as i64;

/// A quote of somebody else's.
const FOREIGN: &[u8] = &[3; 1000];
/// A MEASUREMENT of somebody else's.
const MEASUREMENT: &[u8] = &[1; 32];

const fn while_told(name: &'static str, tell: Tell, ends: &'static [End]) -> Lie {
    Lie {
        name,
        guest: "attestation",
        tell,
        ends,
    }
}

pub(super) const LIES: &[Lie] = table! {
    answer("quotes/value-impossible", "attestation", BOTH, Always, Value(i64::MAX), RIGHT),
    answer("quotes/value-of-32-bits", "attestation", BOTH, Always, Value(1 << 32), RIGHT),
    answer("quotes/value-negative", "attestation", BOTH, Always, Value(i64::MIN), RIGHT),
    answer("quotes/error-unknown", "attestation", BOTH, Every(2), Value(-4095), RIGHT),
    answer("quotes/error-eperm", "attestation", BOTH, Every(3), Instead(EPERM, [0; 2]), RIGHT),
    answer("quotes/error-eio", "attestation", BOTH, Every(3), Instead(EIO, [0; 2]), RIGHT),
    answer("quotes/error-enomem", "attestation", BOTH, Every(2), Instead(ENOMEM, [0; 2]), RIGHT),
    answer("quotes/error-eacces", "attestation", QUOTE, Always, Instead(EACCES, [0; 2]), RIGHT),
    answer("quotes/interrupted", "attestation", BOTH, Every(3), Instead(EINTR, [0; 2]), RIGHT),
    answer("quotes/not-ready", "attestation", BOTH, Always, Instead(EAGAIN, [0; 2]), RIGHT),
    answer("quotes/not-ready-at-first", "attestation", QUOTE, Only(0), Instead(EAGAIN, [0; 2]), RIGHT),
    answer("quotes/none", "attestation", TARGET, Always, Instead(ENODEV, [0; 2]), RIGHT),
    answer("quotes/none-any-more", "attestation", QUOTE, Every(2), Instead(ENODEV, [0; 2]), RIGHT),
    answer("quotes/random", "attestation", BOTH, Every(2), Random, RIGHT),
    answer("quotes/stale", "attestation", BOTH, Every(3), Stale, RIGHT),
    answer("quotes/target-not-given", "attestation", TARGET, Always, Instead(0, [0; 2]), RIGHT),
    answer("quotes/target-with-a-value", "attestation", TARGET, Always, Value(512), RIGHT),
    answer("quotes/target-of-noise", "attestation", TARGET, Always, Noise(0), RIGHT),
    answer("quotes/target-of-zeros", "attestation", TARGET, Always, Filled(0, 0), RIGHT),
    answer("quotes/target-of-ones", "attestation", TARGET, Always, Filled(0, 0xff), RIGHT),
    answer("quotes/target-of-another", "attestation", TARGET, Every(2), Staged(MEASUREMENT, 0), RIGHT),
    answer("quotes/target-reserved-bits", "attestation", TARGET, Always, Filled(128, 1), RIGHT),
    answer("quotes/empty", "attestation", QUOTE, Always, Value(0), RIGHT),
    answer("quotes/one-byte", "attestation", QUOTE, Always, Value(1), RIGHT),
    answer("quotes/without-the-end-of-the-body", "attestation", QUOTE, Always, Value(BODY_END as i64 - 1), RIGHT),
    answer("quotes/without-a-signature", "attestation", QUOTE, Always, Value(BODY_END as i64), RIGHT),
    answer("quotes/one-less", "attestation", QUOTE, Always, Shifted(-1), RIGHT),
    answer("quotes/one-more", "attestation", QUOTE, Always, Shifted(1), RIGHT),
    answer("quotes/whole-buffer", "attestation", QUOTE, Always, Value(WHOLE), RIGHT),
    answer("quotes/more-than-the-buffer", "attestation", QUOTE, Always, Value(WHOLE + 1), RIGHT),
    answer("quotes/not-made", "attestation", QUOTE, Always, Instead(WHOLE, [0; 2]), RIGHT),
    answer("quotes/of-noise", "attestation", QUOTE, Always, Noise(0), RIGHT),
    answer("quotes/with-another-body", "attestation", QUOTE, Every(2), Noise(BODY), RIGHT),
    answer("quotes/with-other-data", "attestation", QUOTE, Always, Filled(DATA, b'x'), RIGHT),
    answer("quotes/with-another-last-byte", "attestation", QUOTE, Always, Filled(BODY_END - 1, 0xee), RIGHT),
    answer("quotes/with-another-signature", "attestation", QUOTE, Always, Noise(BODY_END), RIGHT),
    answer("quotes/of-another", "attestation", QUOTE, Always, Staged(FOREIGN, 1000), RIGHT),
    answer("quotes/the-first-again", "attestation", QUOTE, Always, Replayed, RIGHT),
    while_told("quotes/race", Tell::Race, RACE),
    while_told("quotes/storm", Tell::Storm, RIGHT),
};
