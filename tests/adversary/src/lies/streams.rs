//! Lies about the standard streams.

use host_abi::CallCode::{self, *};

use super::Answer::{Extra, Filled, Instead, Noise, Random, Shifted, Stale, Value};
use super::When::{Always, Every, Only};
use super::{EAGAIN, EINTR, EIO, EPERM, End, Lie, RIGHT, answer};

const ALL: &[CallCode] = &[
    StreamRead,
    StreamWrite,
    StreamStat,
    TerminalGet,
    TerminalSet,
    WindowSize,
    Queued,
];
/// All but what the streams are.
const LATER: &[CallCode] = &[
    StreamRead,
    StreamWrite,
    TerminalGet,
    TerminalSet,
    WindowSize,
    Queued,
];
const MOVING: &[CallCode] = &[StreamRead, StreamWrite];
/// A host that does not say what the streams are has no container.
const NO_STREAMS: &[End] = &[End::Right, End::Refused];
const STARVED: &[End] = &[End::Right, End::Starved];

pub(super) const LIES: &[Lie] = table! {
    answer("streams/length-impossible", "streams", ALL, Always, Value(i64::MAX), NO_STREAMS),
    answer("streams/length-of-32-bits", "streams", ALL, Always, Value(1 << 32), NO_STREAMS),
    answer("streams/one-more", "streams", MOVING, Always, Shifted(1), RIGHT),
    answer("streams/a-page-more", "streams", MOVING, Always, Shifted(4096), RIGHT),
    answer("streams/one-less", "streams", MOVING, Only(1), Shifted(-1), RIGHT),
    answer("streams/staging-and-more", "streams", MOVING, Always, Value(256 * 1024 + 1), RIGHT),
    answer("streams/nothing-written", "streams", &[StreamWrite], Always, Instead(0, [0; 2]), RIGHT),
    answer("streams/nothing-read", "streams", &[StreamRead], Always, Instead(0, [0; 2]), RIGHT),
    answer("streams/error-unknown", "streams", ALL, Always, Value(-4095), NO_STREAMS),
    answer("streams/error-134", "streams", ALL, Always, Value(-134), NO_STREAMS),
    answer("streams/error-smallest", "streams", ALL, Always, Value(i64::MIN), NO_STREAMS),
    answer("streams/error-eperm", "streams", ALL, Every(2), Instead(EPERM, [0; 2]), NO_STREAMS),
    answer("streams/error-eio", "streams", MOVING, Always, Instead(EIO, [0; 2]), RIGHT),
    answer("streams/again-sometimes", "streams", MOVING, Every(2), Instead(EAGAIN, [0; 2]), RIGHT),
    answer("streams/interrupted-sometimes", "streams", MOVING, Every(2), Instead(EINTR, [0; 2]), RIGHT),
    answer("streams/interrupted-for-ever", "streams", MOVING, Always, Instead(EINTR, [0; 2]), STARVED),
    answer("streams/later-impossible", "streams", LATER, Always, Value(i64::MAX), RIGHT),
    answer("streams/later-errors-unknown", "streams", LATER, Always, Value(-4095), RIGHT),
    answer("streams/later-errors-eperm", "streams", LATER, Every(2), Instead(EPERM, [0; 2]), RIGHT),
    answer("streams/later-random", "streams", LATER, Every(2), Random, RIGHT),
    answer("streams/terminals-of-noise", "streams", &[StreamStat, TerminalGet, WindowSize], Always, Random, NO_STREAMS),
    answer("streams/noise-behind-answers", "streams", ALL, Always, Noise(0), RIGHT),
    answer("streams/ones-behind-answers", "streams", ALL, Always, Filled(0, 0xff), RIGHT),
    answer("streams/random", "streams", ALL, Every(2), Random, NO_STREAMS),
    answer("streams/stale", "streams", ALL, Every(3), Stale, NO_STREAMS),
    answer("streams/all-closed", "streams", &[StreamStat], Always, Value(0), RIGHT),
    answer("streams/all-terminals", "streams", &[StreamStat], Always, Value(1), RIGHT),
    answer("streams/all-pipes", "streams", &[StreamStat], Always, Value(2), RIGHT),
    answer("streams/kind-unknown", "streams", &[StreamStat], Always, Value(5), NO_STREAMS),
    answer("streams/window-huge", "streams", &[WindowSize], Always, Instead(0, [1 << 16, 1]), RIGHT),
    answer("streams/window-wide", "streams", &[WindowSize], Always, Extra(1, u64::MAX), RIGHT),
    answer("streams/unread-huge", "streams", &[Queued], Always, Value(1 << 31), RIGHT),
};
