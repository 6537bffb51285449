//! accept, accept4.

use kobject::{Errno, Result};

use super::Call;
use super::new_descriptor::add;
use super::socket::{address_out, type_flags, with};
use super::table::{Restart, Row, SocketLimit};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(43, "accept", sys_accept, "dxx")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
    Row::full(288, "accept4", sys_accept4, "dxxx")
        .restarts(Restart::WithFlag)
        .obeys(SocketLimit::Receive),
];

fn sys_accept(call: &mut Call<'_>) -> Result<u64> {
    accept(call, 0)
}

fn sys_accept4(call: &mut Call<'_>) -> Result<u64> {
    accept(call, call.uint(3))
}

fn accept(call: &Call<'_>, raw: u32) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.pointer(2));
    let (rest, flags, on_exec) = type_flags(raw);
    if rest.0 != 0 {
        return Err(Errno::EINVAL);
    }
    let (socket, peer) = call
        .thread
        .retry_interrupted(|| with(call, fd, |socket, _, how| socket.accept(how)))?;
    let fd = add(&call.thread.process, socket, flags, on_exec)?;
    if let Err(error) = address_out(Some(peer), at, len) {
        drop(call.thread.process.take_descriptor(fd));
        return Err(error);
    }
    Ok(fd.into())
}
