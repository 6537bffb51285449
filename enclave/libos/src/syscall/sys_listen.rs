//! listen.

use kobject::Result;

use super::Call;
use super::socket::with;
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(50, "listen", sys_listen, "dd")];

fn sys_listen(call: &mut Call<'_>) -> Result<u64> {
    let (fd, backlog) = (call.fd(0), call.uint(1));
    // A negative backlog is a large one, as on Linux.
    with(call, fd, |socket, caller, _| socket.listen(backlog, caller))?;
    Ok(0)
}
