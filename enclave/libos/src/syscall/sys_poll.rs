//! poll, ppoll, select, pselect6.

use alloc::vec::Vec;

use kobject::{Errno, Events, Result, clock};
use libos_io::PollItem;

use super::Call;
use super::sys_signal::{mask_argument, with_mask};
use super::table::{Restart, Row};
use crate::uapi::{PollFd, Timespec, Timeval};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(7, "poll", sys_poll, "xdd").restarts(Restart::WithoutHandler),
    Row::full(271, "ppoll", sys_ppoll, "xdxxd").restarts(Restart::WithoutHandler),
    Row::full(23, "select", sys_select, "dxxxx").restarts(Restart::WithoutHandler),
    Row::full(270, "pselect6", sys_pselect6, "dxxxxx").restarts(Restart::WithoutHandler),
];

/// A time limit in milliseconds, negative for none, as a deadline.
pub(super) fn deadline_of_milliseconds(limit: i32) -> Option<u64> {
    match u64::try_from(limit) {
        Ok(0) => libos_io::NOW,
        Ok(limit) => Some(clock::monotonic().saturating_add(limit * 1_000_000)),
        Err(_) => None,
    }
}

/// A time limit as a deadline; null for none.
pub(super) fn deadline_of_timespec(at: u64) -> Result<Option<u64>> {
    Ok(
        match user::get_if::<Timespec>(at)?
            .map(Timespec::nanoseconds)
            .transpose()?
        {
            None => None,
            Some(0) => libos_io::NOW,
            Some(limit) => Some(clock::monotonic().saturating_add(limit)),
        },
    )
}

/// Waits on, as long as what interrupts is no signal for this thread.
fn wait(call: &Call<'_>, items: &mut [PollItem], deadline: Option<u64>) -> Result<usize> {
    loop {
        match libos_io::poll(items, deadline) {
            Err(Errno::EINTR) if !call.thread.is_interrupted() => {}
            done => return done,
        }
    }
}

fn sys_poll(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_milliseconds(call.int(2));
    poll(call, deadline)
}

fn sys_ppoll(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_timespec(call.args[2])?;
    let mask = mask_argument(call.args[3], call.args[4])?;
    let limit = call.args[2];
    let result = with_mask(call, mask, |call| poll(call, deadline));
    put_remaining(limit, deadline)?;
    result
}

/// Linux tells how much of the limit is left, in place.
fn put_remaining(limit: u64, deadline: Option<u64>) -> Result<()> {
    let left = deadline.map_or(0, |deadline| deadline.saturating_sub(clock::monotonic()));
    user::put_if(if deadline.is_some() { limit } else { 0 }, &Timespec::of(left))
}

fn poll(call: &mut Call<'_>, deadline: Option<u64>) -> Result<u64> {
    let [at, count, ..] = call.args;
    let most = super::sys_descriptor::limit(&call.thread.process) as usize;
    let mut raw = user::get_all::<PollFd>(at, count as u32 as usize, most)?;
    let mut items: Vec<PollItem> = raw
        .iter()
        .map(|raw| {
            let description = if raw.fd < 0 {
                None
            } else {
                call.file(raw.fd as u64).ok()
            };
            let missing = raw.fd >= 0 && description.is_none();
            let happened = if missing { Events::NVAL } else { Events::empty() };
            PollItem {
                description,
                interest: Events::from_bits_truncate(raw.events.into()),
                happened,
            }
        })
        .collect();
    let ready = wait(call, &mut items, deadline)?;
    for (raw, item) in raw.iter_mut().zip(&items) {
        raw.happened = item.happened.bits() as u16;
    }
    let bytes: Vec<u8> = raw
        .iter()
        .flat_map(|raw| zerocopy::IntoBytes::as_bytes(raw).to_vec())
        .collect();
    user::put_bytes(at, &bytes)?;
    Ok(ready as u64)
}

fn sys_select(call: &mut Call<'_>) -> Result<u64> {
    let limit = call.args[4];
    let deadline = match user::get_if::<Timeval>(limit)? {
        None => None,
        Some(limit) => match limit.nanoseconds()? {
            0 => libos_io::NOW,
            limit => Some(clock::monotonic().saturating_add(limit)),
        },
    };
    let result = select(call, deadline);
    if let Some(deadline) = deadline {
        user::put(limit, &Timeval::of(deadline.saturating_sub(clock::monotonic())))?;
    }
    result
}

fn sys_pselect6(call: &mut Call<'_>) -> Result<u64> {
    let [_, _, _, _, limit, sixth] = call.args;
    let deadline = deadline_of_timespec(limit)?;
    let mask = match user::get_if::<[u64; 2]>(sixth)? {
        None => None,
        Some([at, size]) => mask_argument(at, size)?,
    };
    let result = with_mask(call, mask, |call| select(call, deadline));
    put_remaining(limit, deadline)?;
    result
}

/// The three sets of select: what is asked for, and what counts as an answer.
const SETS: [(Events, Events); 3] = [
    (
        Events::READABLE,
        Events::READABLE
            .union(Events::HUP)
            .union(Events::ERR)
            .union(Events::RDBAND),
    ),
    (
        Events::WRITABLE,
        Events::WRITABLE.union(Events::ERR).union(Events::WRBAND),
    ),
    (Events::PRI, Events::PRI),
];

fn select(call: &mut Call<'_>, deadline: Option<u64>) -> Result<u64> {
    let count = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    let count = count.min(super::sys_descriptor::limit(&call.thread.process) as usize);
    let addresses = [call.args[1], call.args[2], call.args[3]];
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
        let mut interest = Events::empty();
        for (set, (asked, _)) in sets.iter().zip(SETS) {
            if asks(set, fd) {
                interest |= asked;
            }
        }
        if !interest.is_empty() {
            let description = Some(call.file(fd as u64)?);
            items.push(PollItem {
                description,
                interest,
                happened: Events::empty(),
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
