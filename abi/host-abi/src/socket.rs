//! Network sockets, which are the host's.
//!
//! Every host socket is non-blocking; a call that may wait says how long, and the host waits for it. Addresses
//! lie in the first [`MAX_SOCKADDR`] bytes of the staging buffer as Linux's `sockaddr`, data behind them, control data in its last
//! [`MAX_CONTROL`] bytes.

use crate::{Answer, CallError, HostFd, Recv, STAGING_SIZE};

/// Room for an address at the start of the staging buffer (`struct sockaddr_storage`).
pub const MAX_SOCKADDR: usize = 128;

/// Most bytes of control data of one message. All kinds that a socket can have together take less.
pub const MAX_CONTROL: usize = 512;

/// Where control data lies in the staging buffer.
pub const CONTROL_OFFSET: usize = STAGING_SIZE - MAX_CONTROL;

const MSG_TRUNC: u32 = 0x20;

/// An accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its socket, non-blocking on the host.
    pub fd: HostFd,
    /// Bytes of the peer's address.
    pub address_len: usize,
}

/// A new connection.
pub(crate) fn accepted(answer: Answer) -> Result<Accepted, CallError> {
    let fd = HostFd::check(answer)?;
    let [address_len, _] = answer.extra;
    let address_len = length_of_address(address_len)?;
    Ok(Accepted { fd, address_len })
}

/// What a [`Recv`] is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The data alone, which is less work: what a stream is read for.
    Data = 0,
    /// The sender's address and the flags of the result, too.
    Message = 1,
    /// The control data, too.
    Control = 2,
}

/// What [`Queued`](crate::Queued) asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Bytes that can be read at once.
    Unread = 0,
    /// Bytes that the peer has not confirmed, or the network has not taken.
    Unsent = 1,
    /// 1 if urgent data comes next.
    AtMark = 2,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of data in the staging buffer.
    pub len: usize,
    /// Bytes of the message, which is more than `len` if it was cut and MSG_TRUNC was asked for.
    pub full_len: usize,
    /// Bytes of the sender's address; 0 if it was not wanted.
    pub address_len: usize,
    /// MSG_ flags of the result; 0 if they were not wanted.
    pub flags: u32,
    /// Bytes of control data; 0 if it was not wanted.
    pub control_len: usize,
}

/// What was received: no more than there is room for. The second extra word holds the flags, and above them the length of the
/// control data.
pub(crate) fn received(call: &Recv, answer: Answer) -> Result<Received, CallError> {
    // A datagram is at most 64 KiB long.
    let most = if call.flags & MSG_TRUNC != 0 {
        call.len.max(1 << 16)
    } else {
        call.len
    };
    let full_len = answer.count(most)?;
    if call.wanted == Wanted::Data {
        return Ok(Received {
            len: full_len.min(call.len),
            full_len,
            address_len: 0,
            flags: 0,
            control_len: 0,
        });
    }
    let [address_len, flags] = answer.extra;
    let address_len = length_of_address(address_len)?;
    let control_len = (flags >> 32) as usize;
    let most_control = match call.wanted {
        Wanted::Control => MAX_CONTROL,
        _ => 0,
    };
    if control_len > most_control {
        return Err(CallError::Lie("more control data than was asked for"));
    }
    let flags = flags as u32;
    Ok(Received {
        len: full_len.min(call.len),
        full_len,
        address_len,
        flags,
        control_len,
    })
}

fn length_of_address(claimed: u64) -> Result<usize, CallError> {
    usize::try_from(claimed)
        .ok()
        .filter(|&len| len <= MAX_SOCKADDR)
        .ok_or(CallError::Lie("a long address"))
}
