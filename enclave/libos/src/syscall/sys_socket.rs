//! socket, socketpair.

use kobject::{Errno, Result};
use libos_io::socket::{UnixSocket, family_and_kind};
use linux_abi::{AddressFamily, Protocol};

use super::Call;
use super::new_descriptor::add;
use super::socket::{identity, type_flags};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        41,
        "socket",
        sys_socket,
        "ddd",
        "AF_INET, AF_INET6, AF_UNIX, and AF_NETLINK for routes",
    ),
    Row::full(53, "socketpair", sys_socketpair, "dddx"),
];

fn sys_socket(call: &mut Call<'_>) -> Result<u64> {
    let (domain, kind, protocol) = (call.uint(0), call.uint(1), Protocol(call.uint(2)));
    let (kind, flags, on_exec) = type_flags(kind);
    let (domain, kind) = family_and_kind(domain, kind)?;
    let creator = identity(call.thread);
    let socket = libos_io::socket::open(domain, kind, protocol, creator)?;
    Ok(add(&call.thread.process, socket, flags, on_exec)?.into())
}

fn sys_socketpair(call: &mut Call<'_>) -> Result<u64> {
    let (domain, kind, protocol, out) = (
        call.uint(0),
        call.uint(1),
        Protocol(call.uint(2)),
        call.pointer(3),
    );
    let (kind, flags, on_exec) = type_flags(kind);
    let process = &call.thread.process;
    let (domain, kind) = family_and_kind(domain, kind)?;
    if domain != AddressFamily::AF_UNIX {
        // The socket is made before it is seen that it makes no pair.
        libos_io::socket::open(domain, kind, protocol, identity(call.thread))?;
        return Err(Errno::EOPNOTSUPP);
    }
    let (first, second) = UnixSocket::pair(kind, protocol, identity(call.thread))?;
    let first = add(process, first, flags, on_exec)?;
    let second =
        add(process, second, flags, on_exec).inspect_err(|_| drop(process.take_descriptor(first)))?;
    user::put(out, &[first, second])?;
    Ok(0)
}
