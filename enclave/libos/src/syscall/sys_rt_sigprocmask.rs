//! rt_sigprocmask, rt_sigpending.

use kobject::{Errno, Result};
use linux_abi::{MaskOperation, SignalSet};

use super::Call;
use super::signal_mask::SET_SIZE;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(14, "rt_sigprocmask", sys_rt_sigprocmask, "dxxd"),
    Row::full(127, "rt_sigpending", sys_rt_sigpending, "xd"),
];

fn sys_rt_sigprocmask(call: &mut Call<'_>) -> Result<u64> {
    let (how, new, old, size) = (
        MaskOperation(call.int(0)),
        call.pointer(1),
        call.pointer(2),
        call.len(3),
    );
    if size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let new = user::get_if::<u64>(new)?.map(SignalSet);
    let before = call.thread.signals.lock().mask;
    if let Some(new) = new {
        let mask = match how {
            MaskOperation::SIG_BLOCK => before.with(new),
            MaskOperation::SIG_UNBLOCK => before.without(new),
            MaskOperation::SIG_SETMASK => new,
            _ => return Err(Errno::EINVAL),
        };
        call.thread.signals.lock().mask = mask.without(SignalSet::UNSTOPPABLE);
        if call.thread.has_signal() {
            enclave_rt::thread::set_pending();
        }
    }
    user::put_if(old, &before.0)?;
    Ok(0)
}

fn sys_rt_sigpending(call: &mut Call<'_>) -> Result<u64> {
    if call.len(1) > size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let signals = call.thread.signals.lock();
    let mask = signals.mask.0;
    let own = signals.pending.set().0;
    drop(signals);
    let set = (own | call.thread.process.pending.lock().set().0) & mask;
    user::put(call.pointer(0), &set)?;
    Ok(0)
}
