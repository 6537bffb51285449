//! Messages of sockets: sendto, sendmsg and their kin, with what travels beside the bytes (cmsg(3)).

use alloc::vec::Vec;

use enclave_layout::USER_END;
use kobject::{Errno, IoVec, Result, UserSink, UserSource, clock};
use libos_io::socket::{Ancillary, Identity, MessageFlags, Outgoing, Received, SocketAddress, SocketKind};
use zerocopy::IntoBytes;

use super::Call;
use super::sys_read::{pieces, raise_pipe};
use super::sys_socket::{CONTROL_MAX, address_in, address_out, with};
use super::table::{Restart, Row};
use crate::process::descriptors::OnExec;
use crate::uapi::{MessageHeader, Timespec};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(44, "sendto", sys_sendto, "dbdxxd").restarts(Restart::WithFlag),
    Row::full(45, "recvfrom", sys_recvfrom, "dxdxxx").restarts(Restart::WithFlag),
    Row::partial(
        46,
        "sendmsg",
        sys_sendmsg,
        "dxx",
        "ancillary data of Unix sockets only",
    )
    .restarts(Restart::WithFlag),
    Row::partial(47, "recvmsg", sys_recvmsg, "dxx", "as sendmsg").restarts(Restart::WithFlag),
    Row::partial(307, "sendmmsg", sys_sendmmsg, "dxdx", "as sendmsg").restarts(Restart::WithFlag),
    Row::partial(299, "recvmmsg", sys_recvmmsg, "dxdxx", "as sendmsg").restarts(Restart::WithFlag),
];

/// Most messages of sendmmsg and recvmmsg (UIO_MAXIOV).
const MESSAGES_MAX: u32 = 1024;

fn single(at: u64, len: u64) -> Result<[IoVec; 1]> {
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len as isize >= 0)
        .ok_or(Errno::EINVAL)?;
    // As the kernel's access_ok: an address that merely is not there is found when it is used, and MSG_TRUNC uses none.
    match at.checked_add(len as u64) {
        Some(end) if end <= USER_END => Ok([IoVec { base: at, len }]),
        _ => Err(Errno::EFAULT),
    }
}

fn send(call: &Call<'_>, fd: u64, pieces: &[IoVec], message: Outgoing<'_>) -> Result<u64> {
    let flags = message.flags;
    let mut source = UserSource::new(pieces);
    let mut kind = None;
    let result = with(call, fd, |socket, caller, mut how| {
        kind = Some(socket.kind());
        how.nonblocking |= flags.contains(MessageFlags::DONT_WAIT);
        socket.send(&mut source, message, how, caller)
    });
    match kind {
        Some(SocketKind::Stream) if !flags.contains(MessageFlags::NO_SIGNAL) => raise_pipe(call, result),
        _ => Ok(result? as u64),
    }
}

fn receive(call: &Call<'_>, fd: u64, pieces: &[IoVec], flags: MessageFlags) -> Result<Received> {
    let mut sink = UserSink::new(pieces);
    with(call, fd, |socket, _, mut how| {
        how.nonblocking |= flags.contains(MessageFlags::DONT_WAIT);
        socket.receive(&mut sink, flags, how)
    })
}

fn message_flags(raw: u64) -> MessageFlags {
    MessageFlags::from_bits_truncate(raw as u32)
}

fn sys_sendto(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, len, flags, to, to_len] = call.args;
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

fn sys_recvfrom(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, len, flags, from, from_len] = call.args;
    let received = receive(call, fd, &single(at, len)?, message_flags(flags))?;
    address_out(received.address, from, from_len)?;
    Ok(received.len as u64)
}

fn sys_sendmsg(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, flags, ..] = call.args;
    send_message(call, fd, at, message_flags(flags))
}

fn send_message(call: &Call<'_>, fd: u64, at: u64, flags: MessageFlags) -> Result<u64> {
    let header: MessageHeader = user::get(at)?;
    let address = match header.name {
        0 => None,
        name => Some(address_in(name, header.name_len as u64)?).filter(|address| !address.is_empty()),
    };
    let ancillary = control_in(call, &header)?;
    let pieces = pieces(header.pieces, header.piece_count)?;
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

fn sys_recvmsg(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, flags, ..] = call.args;
    receive_message(call, fd, at, flags)
}

const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;

fn receive_message(call: &Call<'_>, fd: u64, at: u64, flags: u64) -> Result<u64> {
    let mut header: MessageHeader = user::get(at)?;
    let pieces = pieces(header.pieces, header.piece_count)?;
    let received = receive(call, fd, &pieces, message_flags(flags))?;
    if header.name != 0 {
        let bytes = received.address.as_ref().map_or(&[][..], SocketAddress::as_bytes);
        let room = usize::try_from(header.name_len).map_err(|_| Errno::EINVAL)?;
        user::put_bytes(
            header.name,
            bytes.get(..room.min(bytes.len())).unwrap_or_default(),
        )?;
        header.name_len = bytes.len() as i32;
    }
    let on_exec = OnExec::of(flags & MSG_CMSG_CLOEXEC != 0);
    let truncated = control_out(call, &mut header, &received.ancillary, on_exec)?;
    let mut out = received.flags;
    out.set(
        MessageFlags::CONTROL_TRUNCATED,
        truncated || out.contains(MessageFlags::CONTROL_TRUNCATED),
    );
    header.flags = (out.bits() | (flags & MSG_CMSG_CLOEXEC) as u32) as i32;
    user::put(at, &header)?;
    Ok(received.len as u64)
}

/// `struct mmsghdr`: a header and the count of bytes, padded.
const MULTIPLE_STRIDE: u64 = 64;
const MULTIPLE_LEN: u64 = 56;

fn sys_sendmmsg(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, count, flags, ..] = call.args;
    let count = (count as u32).min(MESSAGES_MAX);
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

fn sys_recvmmsg(call: &mut Call<'_>) -> Result<u64> {
    const WAIT_FOR_ONE: u64 = 0x10000;
    const DONT_WAIT: u64 = 0x40;
    let [fd, at, count, flags, limit, _] = call.args;
    let count = (count as u32).min(MESSAGES_MAX);
    let limit = user::get_if::<Timespec>(limit)?
        .map(Timespec::nanoseconds)
        .transpose()?;
    let deadline = limit.map(|limit| clock::monotonic().saturating_add(limit));
    let mut flags = flags & !WAIT_FOR_ONE;
    for index in 0..count.into() {
        let each = at + index * MULTIPLE_STRIDE;
        match receive_message(call, fd, each, flags) {
            Ok(len) => user::put(each + MULTIPLE_LEN, &(len as u32))?,
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
        if call.args[3] & WAIT_FOR_ONE != 0 {
            flags |= DONT_WAIT;
        }
        // The limit is looked at after each message, as on Linux.
        if deadline.is_some_and(|deadline| clock::monotonic() >= deadline) {
            return Ok(index + 1);
        }
    }
    Ok(count.into())
}

const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
const SCM_CREDENTIALS: u32 = 2;
/// `struct cmsghdr`: length (8), level, type.
const CONTROL_HEADER: usize = 16;

fn control_in(call: &Call<'_>, header: &MessageHeader) -> Result<Ancillary> {
    let mut ancillary = Ancillary::default();
    let len = usize::try_from(header.control_len)
        .ok()
        .filter(|&len| len <= CONTROL_MAX)
        .ok_or(Errno::ENOBUFS)?;
    let bytes = user::get_bytes(header.control, len)?;
    let mut rest = bytes.as_slice();
    while let Some((head, _)) = rest.split_first_chunk::<CONTROL_HEADER>() {
        let [len, kind]: [u64; 2] = zerocopy::transmute!(*head);
        let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        let data = rest.get(CONTROL_HEADER..len).ok_or(Errno::EINVAL)?;
        match (kind as u32, (kind >> 32) as u32) {
            (SOL_SOCKET, SCM_RIGHTS) => {
                for fd in data.chunks_exact(4) {
                    let fd = u32::from_le_bytes(fd.try_into().map_err(|_| Errno::EINVAL)?);
                    ancillary.rights.push(call.file(fd.into())?);
                }
            }
            (SOL_SOCKET, SCM_CREDENTIALS) => {
                let claimed: [u32; 3] = zerocopy::transmute!(*data.first_chunk::<12>().ok_or(Errno::EINVAL)?);
                ancillary.credentials = Some(check_claim(call, claimed)?);
            }
            _ => return Err(Errno::EINVAL),
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(ancillary)
}

/// What a process may say of itself (unix(7)): EPERM for another's numbers unless it is root.
fn check_claim(call: &Call<'_>, [pid, uid, gid]: [u32; 3]) -> Result<Identity> {
    let process = &call.thread.process;
    let credentials = process.context.lock().credentials.clone();
    let own = pid == process.pid && credentials.uid.contains(&uid) && credentials.gid.contains(&gid);
    if own || credentials.euid() == 0 {
        Ok(Identity { pid, uid, gid })
    } else {
        Err(Errno::EPERM)
    }
}

/// Gives ancillary data to a program; whether some of it had no room.
fn control_out(
    call: &Call<'_>,
    header: &mut MessageHeader,
    ancillary: &Ancillary,
    on_exec: OnExec,
) -> Result<bool> {
    let room = usize::try_from(header.control_len).unwrap_or(usize::MAX);
    let mut out: Vec<u8> = Vec::new();
    let mut truncated = false;
    let mut put = |kind: u32, data: &[u8]| {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend_from_slice(&((CONTROL_HEADER + data.len()) as u64).to_le_bytes());
        out.extend_from_slice(&SOL_SOCKET.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(data);
    };
    let mut left = room;
    if let Some(credentials) = ancillary.credentials {
        if left >= CONTROL_HEADER + 12 {
            put(SCM_CREDENTIALS, &credentials.to_bytes());
            left -= (CONTROL_HEADER + 12).next_multiple_of(8).min(left);
        } else {
            truncated = true;
        }
    }
    if !ancillary.rights.is_empty() {
        let fit = left.saturating_sub(CONTROL_HEADER) / 4;
        truncated |= fit < ancillary.rights.len();
        let mut fds: Vec<u32> = Vec::new();
        for file in ancillary.rights.iter().take(fit) {
            fds.push(super::sys_event::add_open(&call.thread.process, file.clone(), on_exec)? as u32);
        }
        if !fds.is_empty() {
            put(SCM_RIGHTS, fds.as_slice().as_bytes());
        }
    }
    if !out.is_empty() {
        user::put_bytes(header.control, &out)?;
    }
    header.control_len = out.len() as u64;
    Ok(truncated)
}
