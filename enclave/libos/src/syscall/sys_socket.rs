//! socket, its addresses and its options; messages are in `sys_sendmsg`.

use alloc::vec::Vec;

use kobject::{Description, Errno, How, Result, StatusFlags};
use libos_io::socket::{
    BoundSocket, Caller, Identity, Shutdown, SocketAddress, SocketKind, SocketNames, UnixSocket,
};
use libos_io::{Socket, as_socket};

use super::Call;
use super::sys_event::add;
use super::table::{Restart, Row};
use crate::process::Process;
use crate::process::descriptors::OnExec;
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
    Row::full(48, "shutdown", sys_shutdown, "dd"),
    Row::full(51, "getsockname", sys_getsockname, "dxx"),
    Row::full(52, "getpeername", sys_getpeername, "dxx"),
    Row::partial(
        55,
        "getsockopt",
        sys_getsockopt,
        "dddxx",
        "common options of sockets, IP, TCP and UDP; ENOPROTOOPT for others",
    ),
    Row::partial(
        54,
        "setsockopt",
        sys_setsockopt,
        "dddxd",
        "common options of sockets, IP, TCP and UDP; ENOPROTOOPT for others",
    ),
];

const SOCK_NONBLOCK: u64 = 0o4000;
const SOCK_CLOEXEC: u64 = 0o2000000;

/// Most bytes of an option or of ancillary data.
pub(super) const CONTROL_MAX: usize = 4096;

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
pub(super) fn with<R>(
    call: &Call<'_>,
    fd: u64,
    f: impl FnOnce(&dyn Socket, Caller<'_>, How) -> Result<R>,
) -> Result<R> {
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

pub(super) fn address_in(at: u64, len: u64) -> Result<Vec<u8>> {
    let len = usize::try_from(len as i32)
        .ok()
        .filter(|&len| len <= libos_io::socket::ADDRESS_MAX);
    user::get_bytes(at, len.ok_or(Errno::EINVAL)?)
}

/// Gives an address to a program: what fits, and how long it is.
pub(super) fn address_out(address: Option<SocketAddress>, at: u64, len_at: u64) -> Result<()> {
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
    let socket = libos_io::socket::open(domain, SocketKind::from_raw(kind)?, protocol as u32, creator)?;
    add(&call.thread.process, socket, flags, on_exec)
}

fn sys_socketpair(call: &mut Call<'_>) -> Result<u64> {
    let [domain, kind, protocol, out, ..] = call.args;
    let (kind, flags, on_exec) = type_flags(kind);
    let process = &call.thread.process;
    if domain as u32 != u32::from(libos_io::socket::AF_UNIX) {
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
