//! io_setup, io_destroy, io_submit, io_cancel, io_getevents, io_pgetevents.

use alloc::vec::Vec;

use host_abi::Protection;
use kobject::{Errno, Result, clock, wait_until};
use libos_io::EventFd;
use libos_mm::Backing;
use linux_abi::{AioCommand, AioFlags, MapFlags, PollEvents, ReadWriteFlags};

use super::Call;
use super::iovec::{piece, pieces};
use super::signal_mask::{mask_argument, with_mask};
use super::table::Row;
use super::{sys_read, sys_write};
use crate::aio::Done;
use crate::uapi::{IoControlBlock, Timespec};
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(206, "io_setup", sys_io_setup, "dx"),
    Row::full(207, "io_destroy", sys_io_destroy, "x"),
    Row::partial(
        209,
        "io_submit",
        sys_io_submit,
        "xlx",
        "a request is done before the call returns; no IOCB_CMD_POLL",
    ),
    Row::full(210, "io_cancel", sys_io_cancel, "xxx"),
    Row::full(208, "io_getevents", sys_io_getevents, "xllxx"),
    Row::full(333, "io_pgetevents", sys_io_pgetevents, "xllxxx"),
];

/// Most bytes of a kernel's ring: beyond, the number of requests is nonsense (ioctx_alloc of the kernel).
const MAX_RING: u64 = 0x1000_0000;

/// The page that stands for a context.
const PAGE: u64 = enclave_layout::PAGE_SIZE;

fn sys_io_setup(call: &mut Call<'_>) -> Result<u64> {
    let (most, out) = (call.uint(0), call.pointer(1));
    let old: u64 = user::get(out)?;
    if old != 0 || most == 0 || u64::from(most) > MAX_RING / EVENT {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    let space = process.space();
    let flags = MapFlags::empty();
    let at = space.map(
        0,
        PAGE,
        Protection::READ_WRITE,
        flags,
        Backing::Anonymous,
        b"/[aio]",
    )?;
    let added = process.aio.add(at, most).and_then(|()| user::put(out, &at));
    if added.is_err() {
        let _ = process.aio.remove(at);
        space.unmap(at, PAGE)?;
    }
    added.map(|()| 0)
}

fn sys_io_destroy(call: &mut Call<'_>) -> Result<u64> {
    let at = call.pointer(0);
    let process = &call.thread.process;
    let context = process.aio.remove(at)?;
    context.queue.wake(PollEvents::READABLE);
    process.space().unmap(at, PAGE)?;
    Ok(0)
}

fn sys_io_submit(call: &mut Call<'_>) -> Result<u64> {
    let (at, count, list) = (call.pointer(0), call.long(1), call.pointer(2));
    let count = u64::try_from(count).map_err(|_| Errno::EINVAL)?;
    let context = call.thread.process.aio.find(at)?;
    for index in 0..count {
        let one = || {
            let request: Address = user::get(list.checked_add(index * 8).ok_or(Errno::EFAULT)?)?;
            let block: IoControlBlock = user::get(request)?;
            if !context.has_room() {
                return Err(Errno::EAGAIN);
            }
            let result = submit(call, request, &block)?;
            Ok((request, block, result))
        };
        match one() {
            Ok((request, block, result)) => {
                let data = block.data;
                context.add(Done {
                    data,
                    request,
                    result,
                });
                tell(call, &block)?;
            }
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
    }
    Ok(count)
}

/// Does what a request asks for. An error that concerns the request itself is the call's; others are its result.
fn submit(call: &Call<'_>, request: Address, block: &IoControlBlock) -> Result<i64> {
    let len = usize::try_from(block.len).map_err(|_| Errno::EINVAL)?;
    if block.reserved != 0 || (len as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(block.descriptor)?;
    if AioFlags::from_bits_retain(block.flags).contains(AioFlags::IOCB_FLAG_RESFD) {
        let events = call.file(block.event_descriptor)?;
        events.object_as::<EventFd>().ok_or(Errno::EINVAL)?;
    }
    // The key, by which the kernel knows what it has taken.
    user::put(request.checked_add(8).ok_or(Errno::EFAULT)?, &0u32)?;
    let flags = ReadWriteFlags::from_bits(block.rw_flags).ok_or(Errno::EOPNOTSUPP)?;
    // A pipe or a socket has no places. Only there anything would wait.
    let is_seekable = file.object().is_seekable();
    let place = || match is_seekable {
        true => u64::try_from(block.offset).map(Some).map_err(|_| Errno::EINVAL),
        false => Ok(None),
    };
    let would_wait = |events: PollEvents| {
        let waits = !is_seekable && file.object().poll(events).is_empty();
        waits && flags.contains(ReadWriteFlags::RWF_NOWAIT)
    };
    let command = AioCommand(block.command);
    let memory = match command {
        AioCommand::IOCB_CMD_PREAD | AioCommand::IOCB_CMD_PWRITE => piece(block.buffer, len)?.to_vec(),
        AioCommand::IOCB_CMD_PREADV | AioCommand::IOCB_CMD_PWRITEV => pieces(block.buffer, block.len)?,
        _ => Vec::new(),
    };
    let done = match command {
        AioCommand::IOCB_CMD_PREAD | AioCommand::IOCB_CMD_PREADV => {
            if !file.flags().readable() {
                return Err(Errno::EBADF);
            }
            match would_wait(PollEvents::POLLIN) {
                true => Err(Errno::EAGAIN),
                false => sys_read::read(call, &file, &memory, place()?),
            }
        }
        AioCommand::IOCB_CMD_PWRITE | AioCommand::IOCB_CMD_PWRITEV => {
            if !file.flags().writable() {
                return Err(Errno::EBADF);
            }
            match would_wait(PollEvents::POLLOUT) {
                true => Err(Errno::EAGAIN),
                false => sys_write::write_at(call, &file, &memory, place()?),
            }
        }
        AioCommand::IOCB_CMD_FSYNC | AioCommand::IOCB_CMD_FDSYNC => file.object().sync().map(|()| 0),
        _ => return Err(Errno::EINVAL),
    };
    Ok(match done {
        Ok(count) => count.cast_signed(),
        Err(error) => -i64::from(error.raw()),
    })
}

/// Adds to the request's eventfd, if it has one.
fn tell(call: &Call<'_>, block: &IoControlBlock) -> Result<()> {
    if AioFlags::from_bits_retain(block.flags).contains(AioFlags::IOCB_FLAG_RESFD) {
        let events = call.file(block.event_descriptor)?;
        events.object_as::<EventFd>().ok_or(Errno::EINVAL)?.signal();
    }
    Ok(())
}

/// Requests are done before anybody can cancel them: EINVAL, as on Linux for one that is not under way.
fn sys_io_cancel(call: &mut Call<'_>) -> Result<u64> {
    let _key: u32 = user::get(call.pointer(1).checked_add(8).ok_or(Errno::EFAULT)?)?;
    call.thread.process.aio.find(call.pointer(0))?;
    Err(Errno::EINVAL)
}

fn sys_io_getevents(call: &mut Call<'_>) -> Result<u64> {
    take_events(call)
}

fn sys_io_pgetevents(call: &mut Call<'_>) -> Result<u64> {
    // A structure of the mask's address and size.
    let mask = match user::get_if::<[u64; 2]>(call.pointer(5))? {
        None => None,
        Some([at, size]) => mask_argument(at, usize::try_from(size).map_err(|_| Errno::EINVAL)?)?,
    };
    with_mask(call, mask, |call| take_events(call))
}

/// Waits for the results of `min` requests, until the time is over, and takes up to `most`.
fn take_events(call: &Call<'_>) -> Result<u64> {
    let (at, min, most, out) = (call.pointer(0), call.long(1), call.long(2), call.pointer(3));
    let limit = user::get_if::<Timespec>(call.pointer(4))?
        .map(Timespec::nanoseconds)
        .transpose()?;
    let deadline = limit.map(|limit| clock::monotonic().saturating_add(limit));
    let process = &call.thread.process;
    let context = process.aio.find(at)?;
    if min < 0 || min > most {
        return Err(Errno::EINVAL);
    }
    let mut count: i64 = 0;
    while count < most {
        let done = match count < min {
            false => context.take(),
            true => wait_until(&context.queue, PollEvents::READABLE, deadline, || {
                // Who destroys the context ends the wait.
                process.aio.find(at)?;
                context.take()
            }),
        };
        let Done {
            data,
            request,
            result,
        } = match done {
            Ok(done) => done,
            Err(Errno::EINTR) if count == 0 => return Err(Errno::EINTR),
            Err(_) => break,
        };
        let event = [data, request, result.cast_unsigned(), 0];
        let place = out.checked_add(count.cast_unsigned() * EVENT);
        user::put(place.ok_or(Errno::EFAULT)?, &event)?;
        count += 1;
    }
    Ok(count.cast_unsigned())
}

/// Bytes of `struct io_event`.
const EVENT: u64 = 32;
