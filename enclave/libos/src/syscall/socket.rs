//! What the calls of sockets share: the socket of a descriptor, who calls, and addresses in a program's memory.

use alloc::vec::Vec;

use kobject::{Description, Errno, How, Result};
use libos_io::{
    Socket, as_socket,
    socket::{BoundSocket, Caller, Identity, SocketAddress, SocketNames},
};
use linux_abi::{OpenFlags, SocketFlags, SocketType};

use super::Call;
use super::table::SocketLimit;
use crate::process::Thread;
use crate::process::descriptors::{Fd, OnExec};
use crate::user;

/// Most bytes of an option or of ancillary data.
pub(super) const MAX_CONTROL: usize = 4096;

/// Calls `f` with the socket that a descriptor is.
pub(super) fn with<R>(
    call: &Call<'_>,
    fd: Fd,
    f: impl FnOnce(&dyn Socket, Caller<'_>, How) -> Result<R>,
) -> Result<R> {
    let file = call.file(fd)?;
    let names = Names(call.thread);
    let caller = Caller {
        identity: identity(call.thread),
        names: &names,
    };
    f(as_socket(&**file.object())?, caller, how(&file))
}

/// EBADF and ENOTSOCK, which come before what is wrong with other arguments.
pub(super) fn check(call: &Call<'_>, fd: Fd) -> Result<()> {
    with(call, fd, |_, _, _| Ok(()))
}

pub(super) fn identity(thread: &Thread) -> Identity {
    let credentials = thread.credentials();
    Identity {
        pid: thread.process.pid,
        uid: credentials.euid(),
        gid: credentials.egid(),
    }
}

/// Socket paths, as the calling thread sees them.
struct Names<'a>(&'a Thread);

impl SocketNames for Names<'_> {
    fn bind(&self, path: &[u8], socket: BoundSocket, permissions: u32) -> Result<()> {
        let context = self.0.context();
        crate::container()
            .vfs()
            .bind_socket(&context, path, socket, permissions)
    }

    fn find(&self, path: &[u8]) -> Result<BoundSocket> {
        let context = self.0.context();
        crate::container().vfs().find_socket(&context, path)
    }
}

fn how(file: &Description) -> How {
    How {
        nonblocking: file.flags().contains(OpenFlags::O_NONBLOCK),
        append: false,
    }
}

/// Whether the system call waits at a socket with SO_RCVTIMEO or SO_SNDTIMEO: then EINTR is final (signal(7)).
pub(super) fn has_time_limit(call: &Call<'_>, limit: Option<SocketLimit>) -> bool {
    let Some(limit) = limit else {
        return false;
    };
    let Ok(file) = call.file(call.fd(0)) else {
        return false;
    };
    let Ok(socket) = as_socket(&**file.object()) else {
        return false;
    };
    match limit {
        SocketLimit::Receive => socket.timeouts().limits_receiving(),
        SocketLimit::Send => socket.timeouts().limits_sending(),
    }
}

/// Splits the flags off a socket's type.
pub(super) fn type_flags(raw: u32) -> (SocketType, OpenFlags, OnExec) {
    let given = SocketFlags::from_bits_truncate(raw);
    let mut flags = OpenFlags::O_RDWR;
    flags.set(OpenFlags::O_NONBLOCK, given.contains(SocketFlags::SOCK_NONBLOCK));
    (
        SocketType(raw & !SocketFlags::all().bits()),
        flags,
        OnExec::of(given.contains(SocketFlags::SOCK_CLOEXEC)),
    )
}

pub(super) fn address_in(at: u64, len: i32) -> Result<Vec<u8>> {
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= libos_io::socket::MAX_ADDRESS);
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
