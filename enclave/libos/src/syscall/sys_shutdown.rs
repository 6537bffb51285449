//! shutdown.

use kobject::Result;
use libos_io::socket::Shutdown;
use linux_abi::ShutdownDirection;

use super::Call;
use super::socket::{check, with};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(48, "shutdown", sys_shutdown, "dd")];

fn sys_shutdown(call: &mut Call<'_>) -> Result<u64> {
    check(call, call.fd(0))?;
    let which = Shutdown::from_raw(ShutdownDirection(call.uint(1)))?;
    with(call, call.fd(0), |socket, _, _| socket.shutdown(which))?;
    Ok(0)
}
