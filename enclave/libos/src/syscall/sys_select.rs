//! select, pselect6.

use alloc::vec::Vec;

use kobject::{Errno, Result, clock};
use libos_io::PollItem;
use linux_abi::PollEvents;

use super::Call;
use super::deadline::{deadline_of_nanoseconds, deadline_of_timespec, put_remaining};
use super::new_descriptor::limit;
use super::signal_mask::{mask_argument, with_mask};
use super::sys_poll::wait;
use super::table::{Restart, Row};
use crate::process::descriptors::Fd;
use crate::uapi::Timeval;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(23, "select", sys_select, "dxxxx").restarts(Restart::WithoutHandler),
    Row::full(270, "pselect6", sys_pselect6, "dxxxxx").restarts(Restart::WithoutHandler),
];

fn sys_select(call: &mut Call<'_>) -> Result<u64> {
    let limit = call.pointer(4);
    let deadline = match user::get_if::<Timeval>(limit)? {
        None => None,
        Some(limit) => deadline_of_nanoseconds(limit.nanoseconds()?),
    };
    let result = select(call, deadline);
    if let Some(deadline) = deadline {
        user::put(limit, &Timeval::of(deadline.saturating_sub(clock::monotonic())))?;
    }
    result
}

fn sys_pselect6(call: &mut Call<'_>) -> Result<u64> {
    let (limit, sixth) = (call.pointer(4), call.pointer(5));
    let deadline = deadline_of_timespec(limit)?;
    let mask = match user::get_if::<[u64; 2]>(sixth)? {
        None => None,
        Some([at, size]) => mask_argument(at, size as usize)?,
    };
    let result = with_mask(call, mask, |call| select(call, deadline));
    put_remaining(limit, deadline)?;
    result
}

/// The three sets of select: what is asked for, and what counts as an answer.
const SETS: [(PollEvents, PollEvents); 3] = [
    (
        PollEvents::READABLE,
        PollEvents::READABLE
            .union(PollEvents::POLLHUP)
            .union(PollEvents::POLLERR)
            .union(PollEvents::POLLRDBAND),
    ),
    (
        PollEvents::WRITABLE,
        PollEvents::WRITABLE
            .union(PollEvents::POLLERR)
            .union(PollEvents::POLLWRBAND),
    ),
    (PollEvents::POLLPRI, PollEvents::POLLPRI),
];

fn select(call: &mut Call<'_>, deadline: Option<u64>) -> Result<u64> {
    let count = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    let count = count.min(limit(&call.thread.process) as usize);
    let addresses = [call.pointer(1), call.pointer(2), call.pointer(3)];
    let len = count.div_ceil(64) * 8;
    let mut sets: Vec<Vec<u8>> = Vec::new();
    for at in addresses {
        sets.push(if at == 0 {
            alloc::vec![0; len]
        } else {
            user::get_bytes(at, len)?
        });
    }
    let asks = |set: &[u8], fd: usize| set.get(fd / 8).is_some_and(|byte| byte >> (fd % 8) & 1 == 1);
    let mut items = Vec::new();
    let mut fds = Vec::new();
    for fd in 0..count {
        let mut interest = PollEvents::empty();
        for (set, (asked, _)) in sets.iter().zip(SETS) {
            if asks(set, fd) {
                interest |= asked;
            }
        }
        if !interest.is_empty() {
            let description = Some(call.file_or_path(fd as Fd)?);
            items.push(PollItem {
                description,
                interest,
                happened: PollEvents::empty(),
            });
            fds.push(fd);
        }
    }
    wait(call, &mut items, deadline)?;
    let mut ready = 0;
    for ((at, set), (_, counts)) in addresses.into_iter().zip(&sets).zip(SETS) {
        let mut out = alloc::vec![0u8; len];
        for (&fd, item) in fds.iter().zip(&items) {
            if asks(set, fd) && item.happened.intersects(counts) {
                ready += 1;
                if let Some(byte) = out.get_mut(fd / 8) {
                    *byte |= 1 << (fd % 8);
                }
            }
        }
        if at != 0 {
            user::put_bytes(at, &out)?;
        }
    }
    Ok(ready)
}
