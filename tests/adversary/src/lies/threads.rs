//! Lies about threads, waiting and signals, and host calls at the wrong place.

use host_abi::CallCode::{self, *};

use super::Answer::{Instead, Noise, Random, Value};
use super::When::{Always, Every, Only};
use super::{EAGAIN, EINTR, EPERM, End, Lie, RIGHT, Tell, answer};

const ALL: &[CallCode] = &[Spawn, Park, Unpark, Interrupt];
const STARVED: &[End] = &[End::Right, End::Starved];
/// What the enclave is told at its start may change, too.
pub(super) const RACE: &[End] = &[End::Right, End::Refused, End::Starved];
const KILLED: &[End] = &[End::Right, End::Killed];
/// The first thread does not begin: there is nobody to say anything.
const NO_START: &[End] = &[End::Starved];

const fn signals(name: &'static str, guest: &'static str, mask: u64, ends: &'static [End]) -> Lie {
    Lie {
        name,
        guest,
        tell: Tell::Signals(mask),
        ends,
    }
}

const fn area(name: &'static str, address: u64) -> Lie {
    Lie {
        name,
        guest: "streams",
        tell: Tell::CallArea(address),
        ends: NO_START,
    }
}

const fn storm(name: &'static str, guest: &'static str) -> Lie {
    Lie {
        name,
        guest,
        tell: Tell::Storm,
        ends: RIGHT,
    }
}

const fn race(name: &'static str, guest: &'static str, ends: &'static [End]) -> Lie {
    Lie {
        name,
        guest,
        tell: Tell::Race,
        ends,
    }
}

/// Bit `n - 1` is signal `n`: SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH.
const MAY_COME: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 9 | 1 << 11 | 1 << 14 | 1 << 27;

pub(super) const LIES: &[Lie] = table! {
    answer("threads/started-but-refused", "threads", &[Spawn], Always, Value(EAGAIN), RIGHT),
    answer("threads/not-started-and-refused", "threads", &[Spawn], Always, Instead(EAGAIN, [0; 2]), RIGHT),
    answer("threads/not-started", "threads", &[Spawn], Only(1), Instead(0, [0; 2]), STARVED),
    answer("threads/started-with-a-value", "threads", &[Spawn], Always, Value(1), RIGHT),
    answer("threads/started-with-unknown-error", "threads", &[Spawn], Always, Value(-4095), RIGHT),
    answer("threads/waits-end-at-once", "threads", &[Park], Always, Instead(0, [0; 2]), STARVED),
    answer("threads/waits-time-out", "threads", &[Park], Every(2), Instead(1, [0; 2]), RIGHT),
    answer("threads/waits-impossible", "threads", &[Park], Every(2), Instead(i64::MAX, [0; 2]), RIGHT),
    answer("threads/waits-interrupted", "threads", &[Park], Always, Instead(EINTR, [0; 2]), STARVED),
    answer("threads/waits-refused", "threads", &[Park], Every(2), Instead(EPERM, [0; 2]), RIGHT),
    answer("threads/never-woken", "threads", &[Unpark], Always, Instead(0, [0; 2]), STARVED),
    answer("threads/wake-refused", "threads", &[Unpark], Always, Instead(-3, [0; 2]), STARVED),
    answer("threads/woken-with-a-value", "threads", &[Unpark], Always, Value(7), RIGHT),
    answer("threads/not-interrupted", "threads", &[Interrupt], Always, Instead(0, [0; 2]), RIGHT),
    answer("threads/interrupt-refused", "threads", &[Interrupt], Always, Instead(EPERM, [0; 2]), RIGHT),
    answer("threads/random", "threads", &[Park, Unpark, Interrupt], Every(2), Random, STARVED),
    answer("threads/noise", "threads", ALL, Always, Noise(0), RIGHT),
    // What the enclave says to the user is told whatever the host answers.
    answer("threads/message", "unsupported", &[Message], Always, Value(i64::MAX), RIGHT),
    answer("threads/message-refused", "unsupported", &[Message], Always, Instead(i64::MIN, [0; 2]), RIGHT),
    // The end is asked for until it comes.
    answer("threads/no-end", "threads", &[Exit], Only(0), Instead(0, [0; 2]), &[End::Right, End::Stopped]),
    answer("threads/no-end-for-ever", "threads", &[Exit], Always, Instead(0, [0; 2]), &[End::Starved]),
    signals("threads/signals-that-may-come", "threads", MAY_COME, RIGHT),
    signals("threads/signals-that-may-not-come", "threads", !MAY_COME, RIGHT),
    signals("threads/signals-all", "threads", u64::MAX, RIGHT),
    signals("threads/signals-kill", "streams", u64::MAX, KILLED),
    signals("threads/signals-stop", "streams", 1 << 18 | 1 << 8 | 1 << 63, RIGHT),
    // As `nacre exec` does, in an enclave that may not be debugged: it may not ask what is wanted.
    signals("threads/exec-without-debug", "threads", host_abi::REQUEST_SIGNAL, RIGHT),
    area("threads/area-at-0", 0),
    area("threads/area-inside", 0x10000),
    area("threads/area-at-the-end-inside", enclave_layout::ELRANGE_SIZE - 4096),
    area("threads/area-unaligned", (1 << 40) + 1),
    area("threads/area-wraps", u64::MAX - 63),
    area("threads/area-in-the-kernel", 0xffff_8000_0000_0000),
    storm("threads/storm-in-streams", "streams"),
    storm("threads/storm-in-sockets", "sockets"),
    storm("threads/storm-in-poll", "poll"),
    storm("threads/storm-in-clocks", "clocks"),
    storm("threads/storm-in-threads", "threads"),
    storm("threads/storm-in-a-crowd", "crowd"),
    race("threads/race-in-streams", "streams", RACE),
    race("threads/race-in-sockets", "sockets", RACE),
    race("threads/race-in-poll", "poll", RACE),
};
