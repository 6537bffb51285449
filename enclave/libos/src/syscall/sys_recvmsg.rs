//! recvfrom, recvmsg, recvmmsg.

use kobject::{Errno, IoVec, Result, UserSink, clock};
use libos_io::socket::{Received, SocketAddress};
use linux_abi::MessageFlags;

use super::Call;
use super::message::{
    MAX_MESSAGES, MULTIPLE_LEN, MULTIPLE_STRIDE, control_out, message_flags, message_pieces, single,
};
use super::socket::{address_out, with};
use super::table::{Restart, Row, SocketLimit};
use crate::process::descriptors::{Fd, OnExec};
use crate::uapi::{MessageHeader, Timespec};
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(45, "recvfrom", sys_recvfrom, "dxlxxx")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
    Row::partial(47, "recvmsg", sys_recvmsg, "dxx", "as sendmsg")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
    Row::partial(299, "recvmmsg", sys_recvmmsg, "dxdxx", "as sendmsg")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
];

fn sys_recvfrom(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len, flags, from, from_len) = (
        call.fd(0),
        call.pointer(1),
        call.len(2),
        call.uint(3),
        call.pointer(4),
        call.pointer(5),
    );
    let received = receive(call, fd, &single(at, len)?, message_flags(flags))?;
    address_out(received.address, from, from_len)?;
    Ok(received.len as u64)
}

fn sys_recvmsg(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, flags) = (call.fd(0), call.pointer(1), call.uint(2));
    receive_message(call, fd, at, message_flags(flags))
}

fn sys_recvmmsg(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, count, flags, limit) = (
        call.fd(0),
        call.pointer(1),
        call.uint(2),
        message_flags(call.uint(3)),
        call.pointer(4),
    );
    let count = count.min(MAX_MESSAGES);
    let limit = user::get_if::<Timespec>(limit)?
        .map(Timespec::nanoseconds)
        .transpose()?;
    let deadline = limit.map(|limit| clock::monotonic().saturating_add(limit));
    let wait_for_one = flags.contains(MessageFlags::MSG_WAITFORONE);
    let mut flags = flags - MessageFlags::MSG_WAITFORONE;
    for index in 0..count.into() {
        let each = at + index * MULTIPLE_STRIDE;
        match receive_message(call, fd, each, flags) {
            Ok(len) => user::put(each + MULTIPLE_LEN, &(len as u32))?,
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
        if wait_for_one {
            flags |= MessageFlags::MSG_DONTWAIT;
        }
        // The limit is looked at after each message, as on Linux.
        if deadline.is_some_and(|deadline| clock::monotonic() >= deadline) {
            return Ok(index + 1);
        }
    }
    Ok(count.into())
}

fn receive(call: &Call<'_>, fd: Fd, pieces: &[IoVec], flags: MessageFlags) -> Result<Received> {
    let mut sink = UserSink::new(pieces);
    with(call, fd, |socket, _, mut how| {
        how.nonblocking |= flags.contains(MessageFlags::MSG_DONTWAIT);
        socket.receive(&mut sink, flags, how)
    })
}

fn receive_message(call: &Call<'_>, fd: Fd, at: Address, flags: MessageFlags) -> Result<u64> {
    let mut header: MessageHeader = user::get(at)?;
    let pieces = message_pieces(&header)?;
    let received = receive(call, fd, &pieces, flags)?;
    if header.name != 0 {
        let bytes = received.address.as_ref().map_or(&[][..], SocketAddress::as_bytes);
        let room = usize::try_from(header.name_len).map_err(|_| Errno::EINVAL)?;
        user::put_bytes(
            header.name,
            bytes.get(..room.min(bytes.len())).unwrap_or_default(),
        )?;
        header.name_len = bytes.len() as i32;
    }
    let on_exec = OnExec::of(flags.contains(MessageFlags::MSG_CMSG_CLOEXEC));
    let truncated = control_out(call, &mut header, &received.ancillary, on_exec)?;
    let mut out = received.flags;
    out.set(
        MessageFlags::MSG_CTRUNC,
        truncated || out.contains(MessageFlags::MSG_CTRUNC),
    );
    header.flags = (out | flags & MessageFlags::MSG_CMSG_CLOEXEC).bits() as i32;
    user::put(at, &header)?;
    Ok(received.len as u64)
}
