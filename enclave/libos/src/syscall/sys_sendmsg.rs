//! sendto, sendmsg, sendmmsg.

use kobject::{IoVec, Result, UserSource};
use libos_io::socket::{Outgoing, SocketKind};
use linux_abi::MessageFlags;

use super::Call;
use super::message::{
    MAX_MESSAGES, MULTIPLE_LEN, MULTIPLE_STRIDE, control_in, message_flags, message_pieces, single,
};
use super::socket::{address_in, with};
use super::table::{Restart, Row, SocketLimit};
use super::write_effects::raise_pipe;
use crate::process::descriptors::Fd;
use crate::uapi::MessageHeader;
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(44, "sendto", sys_sendto, "dblxxd")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Send),
    Row::partial(
        46,
        "sendmsg",
        sys_sendmsg,
        "dxx",
        "of the ancillary data of network sockets not all kinds: no raw options of IP, no SO_TXTIME",
    )
    .restarts(Restart::WithFlag)
    .obeys(SocketLimit::Send),
    Row::partial(307, "sendmmsg", sys_sendmmsg, "dxdx", "as sendmsg")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Send),
];

fn sys_sendto(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len, flags, to, to_len) = (
        call.fd(0),
        call.pointer(1),
        call.len(2),
        call.uint(3),
        call.pointer(4),
        call.int(5),
    );
    let address = if to == 0 {
        None
    } else {
        Some(address_in(to, to_len)?)
    };
    let message = Outgoing {
        address: address.as_deref(),
        flags: message_flags(flags),
        ..Outgoing::default()
    };
    send(call, fd, &single(at, len)?, message)
}

fn sys_sendmsg(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, flags) = (call.fd(0), call.pointer(1), call.uint(2));
    send_message(call, fd, at, message_flags(flags))
}

fn sys_sendmmsg(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, count, flags) = (call.fd(0), call.pointer(1), call.uint(2), call.uint(3));
    let count = count.min(MAX_MESSAGES);
    let flags = message_flags(flags);
    for index in 0..count.into() {
        let each = at + index * MULTIPLE_STRIDE;
        match send_message(call, fd, each, flags) {
            Ok(len) => user::put(each + MULTIPLE_LEN, &(len as u32))?,
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
    }
    Ok(count.into())
}

fn send(call: &Call<'_>, fd: Fd, pieces: &[IoVec], message: Outgoing<'_>) -> Result<u64> {
    let flags = message.flags;
    let mut source = UserSource::new(pieces);
    let mut kind = None;
    let result = with(call, fd, |socket, caller, mut how| {
        kind = Some(socket.kind());
        how.nonblocking |= flags.contains(MessageFlags::MSG_DONTWAIT);
        socket.send(&mut source, message, how, caller)
    });
    match kind {
        Some(SocketKind::Stream) if !flags.contains(MessageFlags::MSG_NOSIGNAL) => raise_pipe(call, result),
        _ => Ok(result? as u64),
    }
}

fn send_message(call: &Call<'_>, fd: Fd, at: Address, flags: MessageFlags) -> Result<u64> {
    let header: MessageHeader = user::get(at)?;
    let address = if header.name == 0 {
        None
    } else {
        Some(address_in(header.name, header.name_len)?).filter(|address| !address.is_empty())
    };
    let ancillary = control_in(call, &header)?;
    let pieces = message_pieces(&header)?;
    send(
        call,
        fd,
        &pieces,
        Outgoing {
            address: address.as_deref(),
            flags,
            ancillary,
        },
    )
}
