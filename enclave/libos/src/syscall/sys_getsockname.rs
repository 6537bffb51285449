//! getsockname, getpeername.

use kobject::Result;

use super::Call;
use super::socket::{address_out, with};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(51, "getsockname", sys_getsockname, "dxx"),
    Row::full(52, "getpeername", sys_getpeername, "dxx"),
];

fn sys_getsockname(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.pointer(2));
    let address = with(call, fd, |socket, _, _| socket.own_address())?;
    address_out(Some(address), at, len)?;
    Ok(0)
}

fn sys_getpeername(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.pointer(2));
    let address = with(call, fd, |socket, _, _| socket.peer_address())?;
    address_out(Some(address), at, len)?;
    Ok(0)
}
