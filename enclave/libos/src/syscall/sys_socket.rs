//! socket and everything about sockets.

use alloc::vec::Vec;

use io::socket::{
    Ancillary, BoundSocket, Caller, Identity, MessageFlags, Outgoing, Received, Shutdown, SocketAddress,
    SocketKind, SocketNames, UnixSocket,
};
use io::{Socket, as_socket};
use kobject::{Description, Errno, How, IoVec, Result, StatusFlags, UserSink, UserSource, clock};
use zerocopy::IntoBytes;

use super::Call;
use super::sys_event::add;
use super::sys_read::{pieces, raise_pipe};
use super::table::{Restart, Row};
use crate::process::Process;
use crate::process::descriptors::OnExec;
use crate::uapi::{MessageHeader, Timespec};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::partial(41, "socket", sys_socket, "ddd", "AF_INET, AF_INET6 and AF_UNIX"),
    Row::full(53, "socketpair", sys_socketpair, "dddx"),
    Row::full(49, "bind", sys_bind, "dxd"),
    Row::full(50, "listen", sys_listen, "dd"),
    Row::full(43, "accept", sys_accept, "dxx").restarts(Restart::WithFlag),
    Row::full(288, "accept4", sys_accept4, "dxxx").restarts(Restart::WithFlag),
    Row::full(42, "connect", sys_connect, "dxd").restarts(Restart::WithFlag),
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
    Row::full(48, "shutdown", sys_shutdown, "dd"),
    Row::full(51, "getsockname", sys_getsockname, "dxx"),
    Row::full(52, "getpeername", sys_getpeername, "dxx"),
    Row::partial(
        55,
        "getsockopt",
        sys_getsockopt,
        "dddxx",
        "the options that docs/syscalls.md lists",
    ),
    Row::partial(
        54,
        "setsockopt",
        sys_setsockopt,
        "dddxd",
        "the options that docs/syscalls.md lists",
    ),
];

const SOCK_NONBLOCK: u64 = 0o4000;
const SOCK_CLOEXEC: u64 = 0o2000000;

/// Most bytes of an option or of ancillary data.
const CONTROL_MAX: usize = 4096;
/// Most messages of sendmmsg and recvmmsg (UIO_MAXIOV).
const MESSAGES_MAX: u32 = 1024;

/// Socket paths, as the calling process sees them.
struct Names<'a>(&'a Process);

impl SocketNames for Names<'_> {
    fn bind(&self, path: &[u8], socket: BoundSocket) -> Result<()> {
        let context = self.0.context.lock().clone();
        crate::container().vfs.bind_socket(&context, path, socket)
    }

    fn find(&self, path: &[u8]) -> Result<BoundSocket> {
        let context = self.0.context.lock().clone();
        crate::container().vfs.find_socket(&context, path)
    }
}

fn identity(process: &Process) -> Identity {
    let credentials = process.context.lock().credentials.clone();
    Identity {
        pid: process.pid,
        uid: credentials.euid(),
        gid: credentials.egid(),
    }
}

/// Calls `f` with the socket that a descriptor is.
fn with<R>(call: &Call<'_>, fd: u64, f: impl FnOnce(&dyn Socket, Caller<'_>, How) -> Result<R>) -> Result<R> {
    let file = call.file(fd)?;
    let process = &call.thread.process;
    let names = Names(process);
    let caller = Caller {
        identity: identity(process),
        names: &names,
    };
    f(as_socket(&**file.object())?, caller, how(&file))
}

/// Whether the system call waits at a socket with SO_RCVTIMEO or SO_SNDTIMEO: then EINTR is final (signal(7)).
pub(super) fn has_time_limit(call: &Call<'_>, number: u64) -> bool {
    let Ok(file) = call.file(call.args[0]) else {
        return false;
    };
    let Ok(socket) = as_socket(&**file.object()) else {
        return false;
    };
    match number {
        // read, readv, accept, recvfrom, recvmsg, accept4, recvmmsg
        0 | 19 | 43 | 45 | 47 | 288 | 299 => socket.timeouts().limits_receiving(),
        // write, writev, connect, sendto, sendmsg, sendmmsg
        1 | 20 | 42 | 44 | 46 | 307 => socket.timeouts().limits_sending(),
        _ => false,
    }
}

fn how(file: &Description) -> How {
    How {
        nonblocking: file.flags().contains(StatusFlags::NONBLOCK),
        append: false,
    }
}

/// Splits the flags off a socket's type.
fn type_flags(raw: u64) -> (u32, StatusFlags, OnExec) {
    let mut flags = StatusFlags::READ_WRITE;
    flags.set(StatusFlags::NONBLOCK, raw & SOCK_NONBLOCK != 0);
    (
        (raw & !(SOCK_NONBLOCK | SOCK_CLOEXEC)) as u32,
        flags,
        OnExec::of(raw & SOCK_CLOEXEC != 0),
    )
}

fn address_in(at: u64, len: u64) -> Result<Vec<u8>> {
    let len = usize::try_from(len as i32)
        .ok()
        .filter(|&len| len <= io::socket::ADDRESS_MAX);
    user::get_bytes(at, len.ok_or(Errno::EINVAL)?)
}

/// Gives an address to a program: what fits, and how long it is.
fn address_out(address: Option<SocketAddress>, at: u64, len_at: u64) -> Result<()> {
    if at == 0 {
        return Ok(());
    }
    let room: i32 = user::get(len_at)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let bytes = address.as_ref().map_or(&[][..], SocketAddress::as_bytes);
    user::put_bytes(at, bytes.get(..room.min(bytes.len())).unwrap_or_default())?;
    user::put(len_at, &(bytes.len() as u32))
}

fn sys_socket(call: &mut Call<'_>) -> Result<u64> {
    let [domain, kind, protocol, ..] = call.args;
    let (kind, flags, on_exec) = type_flags(kind);
    let domain = u16::try_from(domain as u32).map_err(|_| Errno::EAFNOSUPPORT)?;
    let creator = identity(&call.thread.process);
    let socket = io::socket::open(domain, SocketKind::from_raw(kind)?, protocol as u32, creator)?;
    add(&call.thread.process, socket, flags, on_exec)
}

fn sys_socketpair(call: &mut Call<'_>) -> Result<u64> {
    let [domain, kind, protocol, out, ..] = call.args;
    let (kind, flags, on_exec) = type_flags(kind);
    let process = &call.thread.process;
    if domain as u32 != u32::from(io::socket::AF_UNIX) {
        return Err(Errno::EOPNOTSUPP);
    }
    let (first, second) = UnixSocket::pair(SocketKind::from_raw(kind)?, protocol as u32, identity(process))?;
    let first = add(process, first, flags, on_exec)?;
    let second =
        add(process, second, flags, on_exec).inspect_err(|_| drop(process.take_descriptor(first as u32)))?;
    user::put(out, &[first as u32, second as u32])?;
    Ok(0)
}

fn sys_bind(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, len, ..] = call.args;
    let address = address_in(at, len)?;
    with(call, fd, |socket, caller, _| socket.bind(&address, caller))?;
    Ok(0)
}

fn sys_listen(call: &mut Call<'_>) -> Result<u64> {
    let [fd, backlog, ..] = call.args;
    // A negative backlog is a large one, as on Linux.
    with(call, fd, |socket, caller, _| {
        socket.listen(backlog as u32, caller)
    })?;
    Ok(0)
}

fn sys_accept(call: &mut Call<'_>) -> Result<u64> {
    accept(call, 0)
}

fn sys_accept4(call: &mut Call<'_>) -> Result<u64> {
    accept(call, call.args[3])
}

fn accept(call: &Call<'_>, raw: u64) -> Result<u64> {
    let [fd, at, len, ..] = call.args;
    let (rest, flags, on_exec) = type_flags(raw);
    if rest != 0 {
        return Err(Errno::EINVAL);
    }
    let (socket, peer) = restarting(call, || with(call, fd, |socket, _, how| socket.accept(how)))?;
    let fd = add(&call.thread.process, socket, flags, on_exec)?;
    if let Err(error) = address_out(Some(peer), at, len) {
        drop(call.thread.process.take_descriptor(fd as u32));
        return Err(error);
    }
    Ok(fd)
}

/// Goes on after an interruption that brought no signal for this thread.
fn restarting<R>(call: &Call<'_>, mut attempt: impl FnMut() -> Result<R>) -> Result<R> {
    loop {
        match attempt() {
            Err(Errno::EINTR) if !call.thread.is_interrupted() => {}
            done => return done,
        }
    }
}

fn sys_connect(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, len, ..] = call.args;
    let address = address_in(at, len)?;
    with(call, fd, |socket, caller, how| {
        socket.connect(&address, how, caller)
    })?;
    Ok(0)
}

fn single(at: u64, len: u64) -> Result<[IoVec; 1]> {
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len as isize >= 0)
        .ok_or(Errno::EINVAL)?;
    enclave_rt::user::check(at, len)?;
    Ok([IoVec { base: at, len }])
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

fn sys_shutdown(call: &mut Call<'_>) -> Result<u64> {
    let which = Shutdown::from_raw(call.args[1] as u32)?;
    with(call, call.args[0], |socket, _, _| socket.shutdown(which))?;
    Ok(0)
}

fn sys_getsockname(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, len, ..] = call.args;
    let address = with(call, fd, |socket, _, _| socket.own_address())?;
    address_out(Some(address), at, len)?;
    Ok(0)
}

fn sys_getpeername(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, len, ..] = call.args;
    let address = with(call, fd, |socket, _, _| socket.peer_address())?;
    address_out(Some(address), at, len)?;
    Ok(0)
}

fn sys_getsockopt(call: &mut Call<'_>) -> Result<u64> {
    let [fd, level, name, at, len_at, _] = call.args;
    let room: i32 = user::get(len_at)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?.min(CONTROL_MAX);
    let mut value = alloc::vec![0; room];
    let len = with(call, fd, |socket, _, _| {
        socket.option(level as u32, name as u32, &mut value)
    })?;
    user::put_bytes(at, value.get(..len).ok_or(Errno::EINVAL)?)?;
    user::put(len_at, &(len as u32))?;
    Ok(0)
}

fn sys_setsockopt(call: &mut Call<'_>) -> Result<u64> {
    let [fd, level, name, at, len, _] = call.args;
    let len = usize::try_from(len as i32).map_err(|_| Errno::EINVAL)?;
    if len > CONTROL_MAX {
        return Err(Errno::EINVAL);
    }
    let value = user::get_bytes(at, len)?;
    with(call, fd, |socket, _, _| {
        socket.set_option(level as u32, name as u32, &value)
    })?;
    Ok(0)
}
