//! getsockname, getpeername.

use kobject::{Errno, Result};
use libos_io::socket::SocketAddress;

use super::Call;
use super::socket::{address_out, with};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(51, "getsockname", sys_getsockname, "dxx"),
    Row::full(52, "getpeername", sys_getpeername, "dxx"),
];

fn sys_getsockname(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.pointer(2));
    let address = with(call, fd, |socket, _, _| socket.own_address())?;
    put(address, at, len)
}

fn sys_getpeername(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.pointer(2));
    let address = with(call, fd, |socket, _, _| socket.peer_address())?;
    put(address, at, len)
}

/// Unlike accept(2) and its kin, these do not take nowhere for a place.
fn put(address: SocketAddress, at: u64, len_at: u64) -> Result<u64> {
    if at == 0 && user::get::<i32>(len_at)? > 0 {
        return Err(Errno::EFAULT);
    }
    address_out(Some(address), at, len_at)?;
    Ok(0)
}
