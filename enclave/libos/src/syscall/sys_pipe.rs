//! pipe, pipe2.

use kobject::Result;
use linux_abi::OpenFlags;

use super::Call;
use super::new_descriptor::{add, flags};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(22, "pipe", sys_pipe, "x"),
    Row::full(293, "pipe2", sys_pipe2, "xx"),
];

fn sys_pipe(call: &mut Call<'_>) -> Result<u64> {
    make_pipe(call, 0)
}

fn sys_pipe2(call: &mut Call<'_>) -> Result<u64> {
    make_pipe(call, call.uint(1))
}

fn make_pipe(call: &Call<'_>, raw: u32) -> Result<u64> {
    let (both, on_exec) = flags(raw, OpenFlags::O_DIRECT.bits())?;
    let common = both & OpenFlags::O_NONBLOCK;
    let (reader, writer) = libos_io::pipe::pipe();
    if OpenFlags::from_bits_retain(raw).contains(OpenFlags::O_DIRECT) {
        writer.set_packets(true);
    }
    let process = &call.thread.process;
    let first = add(process, reader, common, on_exec)?;
    let second = match add(process, writer, common | OpenFlags::O_WRONLY, on_exec) {
        Ok(second) => second,
        Err(error) => {
            drop(process.take_descriptor(first));
            return Err(error);
        }
    };
    let put = user::put(call.pointer(0), &[first, second]);
    if put.is_err() {
        let closed = [first, second].map(|fd| process.take_descriptor(fd));
        drop(closed);
    }
    put.map(|()| 0)
}
