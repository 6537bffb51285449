//! rt_sigtimedwait.

use kobject::{Errno, Result, Waiter, clock};
use linux_abi::SignalSet;

use super::Call;
use super::signal_mask::mask_argument;
use super::table::Row;
use crate::uapi::Timespec;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(128, "rt_sigtimedwait", sys_rt_sigtimedwait, "xxxd")];

fn sys_rt_sigtimedwait(call: &mut Call<'_>) -> Result<u64> {
    let (set, info, timeout, size) = (call.pointer(0), call.pointer(1), call.pointer(2), call.len(3));
    let wanted = mask_argument(set, size)?
        .ok_or(Errno::EFAULT)?
        .without(SignalSet::UNSTOPPABLE);
    let timeout = user::get_if::<Timespec>(timeout)?
        .map(Timespec::nanoseconds)
        .transpose()?;
    let deadline = timeout.map(|timeout| clock::monotonic().saturating_add(timeout));
    let thread = call.thread;
    thread.signals.lock().awaited = wanted;
    let waiter = Waiter::new();
    let found = loop {
        let own = thread.signals.lock().pending.take(wanted);
        if let Some(found) = own.or_else(|| thread.process.pending.lock().take(wanted)) {
            break Ok(found);
        }
        match waiter.sleep(deadline) {
            Err(Errno::EINTR) => {
                let awaited = thread.signals.lock().pending.set().0 | thread.process.pending.lock().set().0;
                if awaited & wanted.0 == 0 && thread.is_interrupted() {
                    break Err(Errno::EINTR);
                }
                enclave_rt::thread::clear_pending();
            }
            Err(_) => break Err(Errno::EAGAIN),
            Ok(()) => {}
        }
    };
    thread.signals.lock().awaited = SignalSet(0);
    if thread.has_signal() {
        enclave_rt::thread::set_pending();
    }
    let found = found?;
    user::put_if(info, &found)?;
    Ok(found.signal as u64)
}
