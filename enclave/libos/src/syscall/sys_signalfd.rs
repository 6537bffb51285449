//! signalfd, signalfd4.

use alloc::boxed::Box;
use alloc::sync::Arc;

use kobject::{Errno, Result, WaitQueue};
use libos_io::{SIGNAL_INFO_SIZE, SignalFd, SignalSource};
use linux_abi::{SignalCode, SignalSet};

use super::Call;
use super::new_descriptor::{add, flags};
use super::signal_mask::mask_argument;
use super::table::Row;
use crate::process::CURRENT;
use crate::signal::SignalInfo;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(282, "signalfd", sys_signalfd, "dxd"),
    Row::full(289, "signalfd4", sys_signalfd4, "dxdx"),
];

fn sys_signalfd(call: &mut Call<'_>) -> Result<u64> {
    make_signalfd(call, 0)
}

fn sys_signalfd4(call: &mut Call<'_>) -> Result<u64> {
    make_signalfd(call, call.uint(3))
}

fn make_signalfd(call: &Call<'_>, raw: u32) -> Result<u64> {
    let (set, size) = (call.pointer(1), call.len(2));
    let (flags, on_exec) = flags(raw, 0)?;
    let set = mask_argument(set, size)?
        .ok_or(Errno::EFAULT)?
        .without(SignalSet::UNSTOPPABLE);
    if call.int(0) != -1 {
        let file = call.file(call.fd(0))?;
        let existing = file.object_as::<SignalFd>().ok_or(Errno::EINVAL)?;
        existing.set_signals(set.0);
        return Ok(call.fd(0).into());
    }
    let process = &call.thread.process;
    let source = Pending {
        queue: process.signal_observers.clone(),
    };
    Ok(add(process, SignalFd::new(Box::new(source), set.0), flags, on_exec)?.into())
}

/// The pending signals of whoever reads.
struct Pending {
    queue: Arc<WaitQueue>,
}

impl SignalSource for Pending {
    fn is_pending(&self, set: u64) -> bool {
        CURRENT.with(|thread| {
            let own = thread.signals.lock().pending.set().0;
            (own | thread.process.pending.lock().set().0) & set != 0
        })
    }

    fn dequeue(&self, set: u64) -> Option<[u8; SIGNAL_INFO_SIZE]> {
        let set = SignalSet(set);
        let info = CURRENT.with(|thread| {
            let own = thread.signals.lock().pending.take(set);
            own.or_else(|| thread.process.pending.lock().take(set))
        })?;
        Some(signalfd_info(&info))
    }

    fn queue(&self) -> Arc<WaitQueue> {
        self.queue.clone()
    }
}

/// `struct signalfd_siginfo` (signalfd(2)).
fn signalfd_info(info: &SignalInfo) -> [u8; SIGNAL_INFO_SIZE] {
    let mut bytes = [0; SIGNAL_INFO_SIZE];
    let mut put = |at: usize, word: u32| {
        if let Some(place) = bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    };
    let [first, second] = [info.fields[0], info.fields[1]];
    put(0, info.signal as u32);
    put(4, info.errno as u32);
    put(8, info.code as u32);
    match SignalCode(info.code) {
        SignalCode::SI_TIMER => {
            put(24, first as u32);
            put(32, (first >> 32) as u32);
        }
        _ => {
            put(12, first as u32);
            put(16, (first >> 32) as u32);
        }
    }
    put(44, second as u32);
    put(48, second as u32);
    put(52, (second >> 32) as u32);
    bytes
}
