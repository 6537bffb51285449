//! Lies about sockets.

use host_abi::CONTROL_OFFSET;
use host_abi::CallCode::{self, *};

use super::Answer::{Extra, Filled, Instead, Noise, Random, Shifted, Staged, Stale, Value};
use super::When::{Always, Every, Only};
use super::{EAGAIN, EINTR, EPERM, End, Lie, RIGHT, answer, posted};

const ALL: &[CallCode] = &[
    Socket,
    Bind,
    Listen,
    Accept,
    Connect,
    Send,
    Recv,
    Shutdown,
    GetSockName,
    GetPeerName,
    GetSockOpt,
    SetSockOpt,
    Queued,
    Close,
    Flush,
];
const MAKING: &[CallCode] = &[Socket, Accept];
const MOVING: &[CallCode] = &[Send, Recv];
const NAMING: &[CallCode] = &[GetSockName, GetPeerName, Accept, Recv];
const STARVED: &[End] = &[End::Right, End::Starved];

/// An address of family AF_UNIX where one of the network is expected.
const UNIX: &[u8] = &[1, 0, b'/', b'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// AF_INET6 in 16 bytes.
const SHORT_V6: &[u8] = &[10, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// AF_INET.
const V4: &[u8] = &[2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
/// A negative SO_ERROR.
const NEGATIVE: &[u8] = &(-7i32).to_le_bytes();
/// An SO_ERROR that no Linux has.
const UNKNOWN: &[u8] = &4095i32.to_le_bytes();
/// Messages of rtnetlink: lengths of 0, of nearly 4 GiB, and one that ends in a header.
const LENGTH_0: &[u8] = &[0; 256];
const LENGTH_HUGE: &[u8] = &[0xff; 256];

pub(super) const LIES: &[Lie] = table! {
    posted("sockets/posted-and-kept", 0),
    posted("sockets/posted-more-than-there-was", 1 << 20),
    posted("sockets/posted-a-lot-more", i64::MAX),
    posted("sockets/posted-to-nobody", -32),
    posted("sockets/posted-with-an-unknown-error", -4095),
    posted("sockets/posted-with-the-smallest-error", i64::MIN),
    answer("sockets/value-impossible", "sockets", ALL, Always, Value(i64::MAX), RIGHT),
    answer("sockets/value-of-32-bits", "sockets", ALL, Always, Value(1 << 32), RIGHT),
    answer("sockets/one-more", "sockets", MOVING, Always, Shifted(1), RIGHT),
    answer("sockets/one-less", "sockets", MOVING, Always, Shifted(-1), RIGHT),
    answer("sockets/a-page-more", "sockets", MOVING, Always, Shifted(4096), RIGHT),
    answer("sockets/64-kib-received", "sockets", &[Recv], Always, Value(1 << 16), RIGHT),
    answer("sockets/64-kib-received-once", "sockets", &[Recv], Every(2), Value(1 << 16), RIGHT),
    answer("sockets/nothing-sent", "sockets", &[Send], Always, Instead(0, [0; 2]), RIGHT),
    answer("sockets/nothing-received", "sockets", &[Recv], Always, Instead(0, [0; 2]), RIGHT),
    answer("sockets/error-unknown", "sockets", ALL, Always, Value(-4095), RIGHT),
    answer("sockets/error-134", "sockets", ALL, Every(2), Value(-134), RIGHT),
    answer("sockets/error-smallest", "sockets", ALL, Always, Value(i64::MIN), RIGHT),
    answer("sockets/error-eperm", "sockets", ALL, Every(3), Instead(EPERM, [0; 2]), RIGHT),
    answer("sockets/in-progress", "sockets", &[Connect], Always, Instead(-115, [0; 2]), RIGHT),
    answer("sockets/already", "sockets", &[Connect], Always, Instead(-114, [0; 2]), RIGHT),
    answer("sockets/again-sometimes", "sockets", ALL, Every(2), Instead(EAGAIN, [0; 2]), RIGHT),
    answer("sockets/again-for-ever", "sockets", MOVING, Always, Instead(EAGAIN, [0; 2]), STARVED),
    answer("sockets/interrupted-sometimes", "sockets", ALL, Every(2), Instead(EINTR, [0; 2]), RIGHT),
    answer("sockets/interrupted-for-ever", "sockets", MOVING, Always, Instead(EINTR, [0; 2]), STARVED),
    answer("sockets/random", "sockets", ALL, Every(2), Random, STARVED),
    answer("sockets/stale", "sockets", ALL, Every(3), Stale, STARVED),
    answer("sockets/descriptor-0", "sockets", MAKING, Always, Value(0), RIGHT),
    answer("sockets/descriptor-2", "sockets", MAKING, Always, Value(2), RIGHT),
    answer("sockets/descriptor-huge", "sockets", MAKING, Always, Value(1 << 30), RIGHT),
    answer("sockets/descriptor-not-open", "sockets", MAKING, Always, Value(900), RIGHT),
    answer("sockets/descriptor-twice", "sockets", MAKING, Every(2), Stale, STARVED),
    answer("sockets/address-huge", "sockets", NAMING, Always, Extra(0, u64::MAX), RIGHT),
    answer("sockets/address-129", "sockets", &[GetSockName, GetPeerName], Always, Value(129), RIGHT),
    answer("sockets/address-whole", "sockets", &[GetSockName, GetPeerName], Always, Value(128), RIGHT),
    answer("sockets/address-extra-128", "sockets", &[Accept, Recv], Always, Extra(0, 128), RIGHT),
    answer("sockets/address-empty", "sockets", &[GetSockName, GetPeerName], Always, Value(0), RIGHT),
    answer("sockets/address-extra-0", "sockets", &[Accept, Recv], Always, Extra(0, 0), RIGHT),
    answer("sockets/address-1-byte", "sockets", &[GetSockName, GetPeerName], Always, Value(1), RIGHT),
    answer("sockets/address-extra-1", "sockets", &[Accept, Recv], Always, Extra(0, 1), RIGHT),
    answer("sockets/address-unix", "sockets", &[GetSockName, GetPeerName], Always, Staged(UNIX, 16), RIGHT),
    answer("sockets/address-short-v6", "sockets", &[GetSockName, GetPeerName], Always, Staged(SHORT_V6, 16), RIGHT),
    answer("sockets/address-v4", "sockets", &[GetSockName, GetPeerName], Always, Staged(V4, 16), RIGHT),
    answer("sockets/address-noise", "sockets", NAMING, Always, Noise(0), RIGHT),
    answer("sockets/address-ones", "sockets", NAMING, Always, Filled(0, 0xff), RIGHT),
    answer("sockets/flags-impossible", "sockets", &[Recv], Always, Extra(1, u64::MAX), RIGHT),
    answer("sockets/flags-all", "sockets", &[Recv], Always, Extra(1, u32::MAX as u64), RIGHT),
    answer("sockets/control-none", "sockets", &[Recv], Always, Extra(1, 0), RIGHT),
    answer("sockets/control-512", "sockets", &[Recv], Always, Extra(1, 512 << 32), RIGHT),
    answer("sockets/control-513", "sockets", &[Recv], Always, Extra(1, 513 << 32), RIGHT),
    answer("sockets/control-one-piece", "sockets", &[Recv], Always, Extra(1, 32 << 32), RIGHT),
    answer("sockets/control-half-a-header", "sockets", &[Recv], Always, Extra(1, 8 << 32), RIGHT),
    answer("sockets/control-cut", "sockets", &[Recv], Every(2), Extra(1, 70 << 32), RIGHT),
    answer("sockets/control-ones", "sockets", &[Recv], Always, Filled(CONTROL_OFFSET, 0xff), RIGHT),
    answer("sockets/control-zeros", "sockets", &[Recv], Always, Filled(CONTROL_OFFSET, 0), RIGHT),
    answer("sockets/control-noise", "sockets", &[Recv], Every(2), Noise(CONTROL_OFFSET), RIGHT),
    answer("sockets/option-longer", "sockets", &[GetSockOpt], Always, Shifted(1), RIGHT),
    answer("sockets/option-4096", "sockets", &[GetSockOpt], Always, Value(4096), RIGHT),
    answer("sockets/option-empty", "sockets", &[GetSockOpt], Always, Value(0), RIGHT),
    answer("sockets/error-negative", "sockets", &[GetSockOpt], Always, Staged(NEGATIVE, 4), RIGHT),
    answer("sockets/error-foreign", "sockets", &[GetSockOpt], Always, Staged(UNKNOWN, 4), RIGHT),
    answer("sockets/unread-huge", "sockets", &[Queued], Always, Value(1 << 31), RIGHT),
    answer("sockets/noise-everywhere", "sockets", ALL, Always, Noise(0), RIGHT),
    answer("sockets/netlink-zeros", "sockets", &[Recv], Every(1), Staged(LENGTH_0, 128), RIGHT),
    answer("sockets/netlink-huge", "sockets", &[Recv], Every(1), Staged(LENGTH_HUGE, 128), RIGHT),
    answer("sockets/first-is-lost", "sockets", &[Socket], Only(0), Instead(-24, [0; 2]), RIGHT),
};
