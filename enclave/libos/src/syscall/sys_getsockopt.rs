//! getsockopt, setsockopt.

use kobject::{Errno, Result};
use linux_abi::OptionLevel;

use super::Call;
use super::socket::{MAX_CONTROL, check, with};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        55,
        "getsockopt",
        sys_getsockopt,
        "dddxx",
        "the common options of sockets, IP, TCP and UDP; others give ENOPROTOOPT",
    ),
    Row::partial(
        54,
        "setsockopt",
        sys_setsockopt,
        "dddxd",
        "the common options of sockets, IP, TCP and UDP; others give ENOPROTOOPT",
    ),
];

fn sys_getsockopt(call: &mut Call<'_>) -> Result<u64> {
    let (fd, level, name, at, len_at) = (
        call.fd(0),
        OptionLevel(call.uint(1)),
        call.uint(2),
        call.pointer(3),
        call.pointer(4),
    );
    check(call, fd)?;
    let room: i32 = user::get(len_at)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?.min(MAX_CONTROL);
    let mut value = alloc::vec![0; room];
    let len = with(call, fd, |socket, _, _| socket.option(level, name, &mut value))?;
    user::put_bytes(at, value.get(..len).ok_or(Errno::EINVAL)?)?;
    user::put(len_at, &(len as u32))?;
    Ok(0)
}

fn sys_setsockopt(call: &mut Call<'_>) -> Result<u64> {
    let (fd, level, name, at, len) = (
        call.fd(0),
        OptionLevel(call.uint(1)),
        call.uint(2),
        call.pointer(3),
        call.int(4),
    );
    check(call, fd)?;
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    if len > MAX_CONTROL {
        return Err(Errno::EINVAL);
    }
    let value = user::get_bytes(at, len)?;
    with(call, fd, |socket, _, _| socket.set_option(level, name, &value))?;
    Ok(0)
}
