//! bind.

use kobject::Result;

use super::Call;
use super::socket::{address_in, check, with};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(49, "bind", sys_bind, "dxd")];

fn sys_bind(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.int(2));
    check(call, fd)?;
    let address = address_in(at, len)?;
    with(call, fd, |socket, caller, _| socket.bind(&address, caller))?;
    Ok(0)
}
