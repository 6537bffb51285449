//! Lies about the readiness of descriptors.

use host_abi::CallCode::{self, *};
use host_abi::ReadyEvent;

use super::Answer::{Filled, Instead, Noise, Random, Repeated, Shifted, Staged, Stale, Value};
use super::When::{Always, Every, Only};
use super::{EAGAIN, EINTR, EPERM, End, Lie, RIGHT, answer};

const ALL: &[CallCode] = &[Poll, EpollCreate, EpollControl, EpollWait, StopAhead];
const WAITING: &[CallCode] = &[Poll, EpollWait];
const EPOLL: &[CallCode] = &[EpollWait];
const STARVED: &[End] = &[End::Right, End::Starved];

/// Events of 16 bytes: every bit of EPOLL for the members in the first slots, as they are at first, and what was received ahead of each.
const fn everything(ahead: i32) -> [u8; 64] {
    let mut bytes = [0xff; 64];
    let ahead = ahead.to_le_bytes();
    let mut at = 0;
    while at < 64 {
        let mut byte = 4;
        while byte < 8 {
            bytes[at + byte] = ahead[byte - 4];
            byte += 1;
        }
        // The data: slot, generation 0.
        while byte < 16 {
            bytes[at + byte] = if byte == 8 { (at / 16) as u8 } else { 0 };
            byte += 1;
        }
        at += 16;
    }
    bytes
}

const EVERYTHING: &[u8] = &everything(-1);
const FULL: &[u8] = &everything(ReadyEvent::MAX_LEN as i32);
const OVERFULL: &[u8] = &everything(ReadyEvent::MAX_LEN as i32 + 1);
const HUGE: &[u8] = &everything(i32::MAX);
const NO_ERROR: &[u8] = &everything(i32::MIN);
const ENDED: &[u8] = &everything(0);

pub(super) const LIES: &[Lie] = table! {
    answer("poll/count-impossible", "poll", ALL, Always, Value(i64::MAX), RIGHT),
    answer("poll/count-of-32-bits", "poll", ALL, Always, Value(1 << 32), RIGHT),
    answer("poll/one-more", "poll", WAITING, Always, Shifted(1), RIGHT),
    answer("poll/one-less", "poll", WAITING, Always, Shifted(-1), STARVED),
    answer("poll/three-always", "poll", WAITING, Always, Value(3), STARVED),
    answer("poll/noise", "poll", WAITING, Always, Noise(0), STARVED),
    answer("poll/ones", "poll", WAITING, Always, Filled(0, 0xff), STARVED),
    answer("poll/three-of-noise", "poll", WAITING, Always, Random, STARVED),
    answer("poll/everything-has-happened", "poll", EPOLL, Always, Staged(EVERYTHING, 4), STARVED),
    answer("poll/received-as-much-as-may-be", "poll", EPOLL, Always, Staged(FULL, 4), STARVED),
    answer("poll/received-more-than-may-be", "poll", EPOLL, Always, Staged(OVERFULL, 4), STARVED),
    answer("poll/received-a-lot", "poll", EPOLL, Always, Staged(HUGE, 4), STARVED),
    answer("poll/received-with-an-unknown-error", "poll", EPOLL, Always, Staged(NO_ERROR, 4), STARVED),
    answer("poll/every-stream-has-ended", "poll", EPOLL, Always, Staged(ENDED, 4), STARVED),
    answer("poll/stops-with-more-than-came", "poll", &[StopAhead], Always, Shifted(1), STARVED),
    answer("poll/stops-with-a-count-of-32-bits", "poll", &[StopAhead], Always, Value(1 << 32), RIGHT),
    answer("poll/stops-not", "poll", &[StopAhead], Always, Instead(0, [0; 2]), STARVED),
    answer("poll/event-repeated", "poll", EPOLL, Always, Repeated(50), RIGHT),
    answer("poll/event-twice", "poll", EPOLL, Always, Repeated(2), RIGHT),
    answer("poll/stale", "poll", WAITING, Every(2), Stale, RIGHT),
    answer("poll/stale-once", "poll", EPOLL, Only(3), Stale, RIGHT),
    answer("poll/error-unknown", "poll", ALL, Always, Value(-4095), RIGHT),
    answer("poll/error-smallest", "poll", ALL, Every(2), Value(i64::MIN), RIGHT),
    answer("poll/error-eperm", "poll", ALL, Every(2), Instead(EPERM, [0; 2]), RIGHT),
    answer("poll/interrupted-sometimes", "poll", ALL, Every(2), Instead(EINTR, [0; 2]), RIGHT),
    answer("poll/interrupted-for-ever", "poll", WAITING, Always, Instead(EINTR, [0; 2]), STARVED),
    answer("poll/again-for-ever", "poll", WAITING, Always, Instead(EAGAIN, [0; 2]), STARVED),
    answer("poll/never-anything", "poll", WAITING, Always, Instead(0, [0; 2]), STARVED),
    answer("poll/instance-0", "poll", &[EpollCreate], Always, Value(0), RIGHT),
    answer("poll/instance-huge", "poll", &[EpollCreate], Always, Value(1 << 31), RIGHT),
    answer("poll/instance-not-open", "poll", &[EpollCreate], Always, Value(900), RIGHT),
    answer("poll/members-not-added", "poll", &[EpollControl], Always, Instead(0, [0; 2]), STARVED),
    answer("poll/control-value", "poll", &[EpollControl], Always, Value(1), RIGHT),
};
