//! connect.

use kobject::Result;

use super::Call;
use super::socket::{address_in, with};
use super::table::{Restart, Row, SocketLimit};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(42, "connect", sys_connect, "dxd")
    .restarts(Restart::WithFlag)
    .obeys(SocketLimit::Send)];

fn sys_connect(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.int(2));
    let address = address_in(at, len)?;
    with(call, fd, |socket, caller, how| {
        socket.connect(&address, how, caller)
    })?;
    Ok(0)
}
