//! Lies about sockets, told to programs whose loopback addresses are their own: what they send each other, the host neither sees nor
//! makes.

use host_abi::CallCode::{self, *};

use super::Answer::{Filled, Instead, Noise, Random, Staged, Stale, Value};
use super::When::{Always, Every};
use super::{EAGAIN, EINTR, EPERM, Lie, RIGHT, answer};

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
    Poll,
    EpollCreate,
    EpollControl,
    EpollWait,
];
/// A loopback address and a port: that of a peer, or of who has sent a datagram.
const LOOPBACK: &[u8] = &[2, 0, 0x30, 0x39, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
const LOOPBACK_OTHER: &[u8] = &[2, 0, 0x30, 0x39, 127, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0];
const NOWHERE: &[u8] = &[2, 0, 0x30, 0x39, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

pub(super) const LIES: &[Lie] = table! {
    answer("loopback/peer-at-127.0.0.1", "loopback", &[Accept], Always, Staged(LOOPBACK, 100), RIGHT),
    answer("loopback/peer-at-127.9.9.9", "loopback", &[Accept], Always, Staged(LOOPBACK_OTHER, 100), RIGHT),
    answer("loopback/peer-at-0.0.0.0", "loopback", &[Accept], Always, Staged(NOWHERE, 100), RIGHT),
    answer("loopback/peers-now-and-then", "loopback", &[Accept], Every(2), Staged(LOOPBACK, 101), RIGHT),
    answer("loopback/sender-at-127.0.0.1", "loopback", &[Recv], Always, Staged(LOOPBACK, 16), RIGHT),
    answer("loopback/sender-at-127.9.9.9", "loopback", &[Recv], Always, Staged(LOOPBACK_OTHER, 16), RIGHT),
    answer("loopback/names-at-127.0.0.1", "loopback", &[GetSockName, GetPeerName], Always, Staged(LOOPBACK, 16), RIGHT),
    answer("loopback/all-ports-taken", "loopback", &[Bind], Always, Instead(-98, [0; 2]), RIGHT),
    answer("loopback/no-sockets", "loopback", &[Socket], Always, Instead(-24, [0; 2]), RIGHT),
    answer("loopback/all-refused", "loopback", ALL, Always, Instead(-111, [0; 2]), RIGHT),
    answer("loopback/all-forbidden", "loopback", ALL, Always, Instead(EPERM, [0; 2]), RIGHT),
    answer("loopback/all-reset-now-and-then", "loopback", ALL, Every(3), Instead(-104, [0; 2]), RIGHT),
    answer("loopback/again-now-and-then", "loopback", ALL, Every(2), Instead(EAGAIN, [0; 2]), RIGHT),
    answer("loopback/interrupted-now-and-then", "loopback", ALL, Every(2), Instead(EINTR, [0; 2]), RIGHT),
    answer("loopback/values-impossible", "loopback", ALL, Always, Value(i64::MAX), RIGHT),
    answer("loopback/errors-unknown", "loopback", ALL, Always, Value(-4095), RIGHT),
    answer("loopback/ready-for-all", "loopback", &[Poll, EpollWait], Always, Filled(0, 0xff), RIGHT),
    answer("loopback/random", "loopback", ALL, Every(2), Random, RIGHT),
    answer("loopback/stale", "loopback", ALL, Every(3), Stale, RIGHT),
    answer("loopback/noise", "loopback", ALL, Always, Noise(0), RIGHT),
};
