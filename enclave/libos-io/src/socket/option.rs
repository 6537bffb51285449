//! Socket options: those that are answered inside, and which of the others may go to the host.

use core::sync::atomic::{AtomicU64, Ordering};

use kobject::{Errno, Result, clock};

use crate::NOW;

pub(super) const SOL_SOCKET: u32 = 1;
pub(super) const SO_TYPE: u32 = 3;
pub(super) const SO_ERROR: u32 = 4;
pub(super) const SO_PEERCRED: u32 = 17;
pub(super) const SO_RCVTIMEO: u32 = 20;
pub(super) const SO_SNDTIMEO: u32 = 21;
pub(super) const SO_ACCEPTCONN: u32 = 30;
pub(super) const SO_PROTOCOL: u32 = 38;
pub(super) const SO_DOMAIN: u32 = 39;

/// Writes an `int` option, cut to the room that there is; gives how many bytes.
pub(super) fn put_int(out: &mut [u8], value: u32) -> usize {
    put(out, &value.to_ne_bytes())
}

/// Writes an option, cut to the room that there is; gives how many bytes.
pub(super) fn put(out: &mut [u8], value: &[u8]) -> usize {
    for (place, byte) in out.iter_mut().zip(value) {
        *place = *byte;
    }
    out.len().min(value.len())
}

/// Reads an `int` option; EINVAL if it is too short.
pub(super) fn int(value: &[u8]) -> Result<u32> {
    let (value, _) = value.split_first_chunk().ok_or(Errno::EINVAL)?;
    Ok(u32::from_ne_bytes(*value))
}

/// SO_RCVTIMEO and SO_SNDTIMEO.
pub struct Timeouts {
    /// Nanoseconds; [`FOREVER`] for none.
    receive: AtomicU64,
    send: AtomicU64,
}

const FOREVER: u64 = u64::MAX;

impl Timeouts {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            receive: AtomicU64::new(FOREVER),
            send: AtomicU64::new(FOREVER),
        }
    }

    /// The same ones, for an accepted connection.
    pub(super) fn inherited(&self) -> Self {
        Self {
            receive: AtomicU64::new(self.receive.load(Ordering::Relaxed)),
            send: AtomicU64::new(self.send.load(Ordering::Relaxed)),
        }
    }

    /// Whether receiving (and accepting) has a limit.
    pub fn limits_receiving(&self) -> bool {
        self.receive.load(Ordering::Relaxed) != FOREVER
    }

    /// Whether sending (and connecting) has a limit.
    pub fn limits_sending(&self) -> bool {
        self.send.load(Ordering::Relaxed) != FOREVER
    }

    /// Until when a receive that begins now may wait.
    pub(super) fn receive_deadline(&self, nonblocking: bool) -> Option<u64> {
        deadline(&self.receive, nonblocking)
    }

    /// Until when a send that begins now may wait.
    pub(super) fn send_deadline(&self, nonblocking: bool) -> Option<u64> {
        deadline(&self.send, nonblocking)
    }

    /// Answers `getsockopt` for the two options; `None` for others.
    pub(super) fn option(&self, name: u32, out: &mut [u8]) -> Option<usize> {
        let microseconds = match self.of(name)?.load(Ordering::Relaxed) {
            FOREVER => 0,
            limit => limit / 1000,
        };
        let timeval = [microseconds / 1_000_000, microseconds % 1_000_000].map(u64::to_ne_bytes);
        Some(put(out, timeval.as_flattened()))
    }

    /// Does `setsockopt` for the two options; `None` for others. EDOM for microseconds out of range.
    pub(super) fn set_option(&self, name: u32, value: &[u8]) -> Option<Result<()>> {
        let timeout = self.of(name)?;
        Some(parse_timeval(value).map(|limit| timeout.store(limit, Ordering::Relaxed)))
    }

    fn of(&self, name: u32) -> Option<&AtomicU64> {
        match name {
            SO_RCVTIMEO => Some(&self.receive),
            SO_SNDTIMEO => Some(&self.send),
            _ => None,
        }
    }
}

fn deadline(timeout: &AtomicU64, nonblocking: bool) -> Option<u64> {
    if nonblocking {
        return NOW;
    }
    match timeout.load(Ordering::Relaxed) {
        FOREVER => None,
        0 => NOW,
        limit => Some(clock::monotonic().saturating_add(limit)),
    }
}

/// A `timeval` as a limit in nanoseconds: 0 is none, and a negative one does not wait at all.
fn parse_timeval(value: &[u8]) -> Result<u64> {
    let ([seconds, microseconds, ..], _) = value.as_chunks() else {
        return Err(Errno::EINVAL);
    };
    let (seconds, microseconds) = (i64::from_ne_bytes(*seconds), i64::from_ne_bytes(*microseconds));
    if !(0..1_000_000).contains(&microseconds) {
        return Err(Errno::EDOM);
    }
    if (seconds, microseconds) == (0, 0) {
        return Ok(FOREVER);
    }
    let Ok(seconds) = u64::try_from(seconds) else {
        return Ok(0);
    };
    let nanoseconds = seconds.checked_mul(1_000_000_000);
    Ok(nanoseconds.map_or(FOREVER, |limit| {
        limit.saturating_add(microseconds.unsigned_abs() * 1000)
    }))
}

/// Which options of network sockets go to the host's socket as they are.
///
/// Left out is what would make the host deliver ancillary data, which the boundary does not carry
/// (IP_PKTINFO, SO_TIMESTAMP and the like), and what concerns the host's own machine (SO_ATTACH_FILTER,
/// SO_MARK, SO_BINDTODEVICE): a program is told ENOPROTOOPT.
pub(super) fn may_pass(level: u32, name: u32) -> bool {
    const IPPROTO_IP: u32 = 0;
    const IPPROTO_TCP: u32 = 6;
    const IPPROTO_UDP: u32 = 17;
    const IPPROTO_IPV6: u32 = 41;
    match level {
        // REUSEADDR, ERROR, DONTROUTE, BROADCAST, SNDBUF, RCVBUF, KEEPALIVE, OOBINLINE, PRIORITY, LINGER,
        // REUSEPORT, RCVLOWAT, BUSY_POLL, MAX_PACING_RATE, INCOMING_CPU
        SOL_SOCKET => matches!(name, 2 | 4..=10 | 12 | 13 | 15 | 18 | 46 | 47 | 49),
        // TOS, TTL, MTU_DISCOVER, RECVERR, MTU, FREEBIND, BIND_ADDRESS_NO_PORT, MULTICAST_IF, _TTL, _LOOP,
        // ADD_ and DROP_MEMBERSHIP, MULTICAST_ALL, LOCAL_PORT_RANGE
        IPPROTO_IP => matches!(name, 1 | 2 | 10 | 11 | 14 | 15 | 24 | 32..=36 | 49 | 51),
        // NODELAY to CONGESTION, USER_TIMEOUT, FASTOPEN, NOTSENT_LOWAT; not TCP_REPAIR, TCP_ULP, MD5 keys,
        // zero-copy receiving
        IPPROTO_TCP => matches!(name, 1..=13 | 18 | 23 | 25),
        // CORK
        IPPROTO_UDP => name == 1,
        // UNICAST_HOPS, MULTICAST_IF, _HOPS, _LOOP, ADD_ and DROP_MEMBERSHIP, MTU_DISCOVER, MTU, RECVERR,
        // V6ONLY, DONTFRAG, TCLASS, ADDR_PREFERENCES
        IPPROTO_IPV6 => matches!(name, 16..=21 | 23..=26 | 62 | 67 | 72),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeval(seconds: i64, microseconds: i64) -> Vec<u8> {
        [seconds, microseconds]
            .map(i64::to_ne_bytes)
            .as_flattened()
            .to_vec()
    }

    #[test]
    fn time_limits_are_set_and_read() {
        let timeouts = Timeouts::new();
        let read = || {
            let mut out = [1; 16];
            assert_eq!(timeouts.option(SO_RCVTIMEO, &mut out), Some(16));
            out.to_vec()
        };
        assert_eq!(read(), timeval(0, 0));
        let set = |value: &[u8]| timeouts.set_option(SO_RCVTIMEO, value).unwrap();
        assert_eq!(set(&timeval(2, 500_000)), Ok(()));
        assert_eq!(read(), timeval(2, 500_000));
        assert!(timeouts.limits_receiving() && !timeouts.limits_sending());
        assert_eq!(set(&timeval(0, 1_000_000)), Err(Errno::EDOM));
        assert_eq!(set(&timeval(0, 0)[..15]), Err(Errno::EINVAL));
        assert_eq!(set(&timeval(-1, 0)), Ok(()));
        assert_eq!(timeouts.receive_deadline(false), NOW);
        assert_eq!(set(&timeval(i64::MAX, 0)), Ok(()));
        assert_eq!(timeouts.receive_deadline(false), None);
        assert!(timeouts.set_option(SO_TYPE, &[]).is_none());
    }
}
