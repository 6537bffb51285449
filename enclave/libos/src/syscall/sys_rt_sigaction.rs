//! rt_sigaction.

use kobject::{Errno, Result};
use linux_abi::{ActionFlags, Signal, SignalSet};

use super::Call;
use super::signal_mask::SET_SIZE;
use super::table::Row;
use crate::signal::Action;
use crate::uapi::Sigaction;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(13, "rt_sigaction", sys_rt_sigaction, "dxxd")];

fn sys_rt_sigaction(call: &mut Call<'_>) -> Result<u64> {
    let (number, new, old, size) = (call.uint(0), call.pointer(1), call.pointer(2), call.len(3));
    if size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let signal = Signal::from_raw(number.into()).ok_or(Errno::EINVAL)?;
    let new = user::get_if::<Sigaction>(new)?;
    if new.is_some() && SignalSet::UNSTOPPABLE.contains(signal) {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    let before = {
        let mut actions = process.actions.lock();
        let before = actions.of(signal);
        if let Some(new) = new {
            let action = Action {
                handler: new.handler,
                flags: ActionFlags::from_bits_retain(new.flags),
                restorer: new.restorer,
                mask: SignalSet(new.mask).without(SignalSet::UNSTOPPABLE),
            };
            actions.set(signal, action);
            if action.ignores(signal) {
                process.pending.lock().remove(signal);
                call.thread.signals.lock().pending.remove(signal);
            }
        }
        before
    };
    let before = Sigaction {
        handler: before.handler,
        flags: before.flags.bits(),
        restorer: before.restorer,
        mask: before.mask.0,
    };
    user::put_if(old, &before)?;
    Ok(0)
}
