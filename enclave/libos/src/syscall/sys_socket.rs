//! socket, socketpair.

use kobject::{Errno, Result};
use libos_io::socket::{SocketKind, UnixSocket};

use super::Call;
use super::new_descriptor::add;
use super::socket::{identity, type_flags};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(41, "socket", sys_socket, "ddd", "AF_INET, AF_INET6 and AF_UNIX"),
    Row::full(53, "socketpair", sys_socketpair, "dddx"),
];

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
