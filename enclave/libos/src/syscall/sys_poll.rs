//! poll, ppoll.

use alloc::vec::Vec;

use kobject::Result;
use libos_io::PollItem;
use linux_abi::PollEvents;

use super::Call;
use super::deadline::{deadline_of_milliseconds, deadline_of_timespec, put_remaining};
use super::iovec::reaches;
use super::new_descriptor::limit;
use super::signal_mask::{mask_argument, with_mask};
use super::table::{Restart, Row};
use crate::uapi::PollFd;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(7, "poll", sys_poll, "xdd").restarts(Restart::WithoutHandler),
    Row::full(271, "ppoll", sys_ppoll, "xdxxd").restarts(Restart::WithoutHandler),
];

fn sys_poll(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_milliseconds(call.int(2));
    poll(call, deadline)
}

fn sys_ppoll(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_timespec(call.pointer(2))?;
    let mask = mask_argument(call.pointer(3), call.len(4))?;
    let limit = call.pointer(2);
    let result = with_mask(call, mask, |call| poll(call, deadline));
    put_remaining(limit, deadline)?;
    result
}

fn poll(call: &mut Call<'_>, deadline: Option<u64>) -> Result<u64> {
    let (at, count) = (call.pointer(0), call.uint(1));
    let most = limit(&call.thread.process) as usize;
    let mut raw = user::get_all::<PollFd>(at, count as usize, most)?;
    // Also where there are none of them.
    reaches(at, size_of_val(raw.as_slice()))?;
    let mut items: Vec<PollItem> = raw
        .iter()
        .map(|raw| {
            let description = if raw.fd < 0 {
                None
            } else {
                call.file(raw.fd.cast_unsigned()).ok()
            };
            let missing = raw.fd >= 0 && description.is_none();
            let happened = if missing {
                PollEvents::POLLNVAL
            } else {
                PollEvents::empty()
            };
            PollItem {
                description,
                interest: PollEvents::from_bits_truncate(raw.events.into()),
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

/// Waits on, as long as what interrupts is no signal for this thread.
pub(super) fn wait(call: &Call<'_>, items: &mut [PollItem], deadline: Option<u64>) -> Result<usize> {
    call.thread.retry_interrupted(|| libos_io::poll(items, deadline))
}
