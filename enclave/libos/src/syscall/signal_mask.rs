//! Signal masks as arguments, and masks that hold for one wait (ppoll(2) and its like).

use kobject::{Errno, Result};
use linux_abi::SignalSet;

use super::Call;
use crate::user::{self, Address};

/// Bytes of a signal set.
pub(super) const SET_SIZE: usize = 8;

/// A mask argument of ppoll and the like: null for none.
pub(super) fn mask_argument(at: Address, size: usize) -> Result<Option<SignalSet>> {
    if at != 0 && size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    Ok(user::get_if::<u64>(at)?.map(SignalSet))
}

/// Sets the mask for the duration of a wait; delivery, or the end of the call, brings the old one back.
pub(super) fn with_mask<R>(
    call: &mut Call<'_>,
    mask: Option<SignalSet>,
    wait: impl FnOnce(&mut Call<'_>) -> Result<R>,
) -> Result<R> {
    let Some(mask) = mask else { return wait(call) };
    {
        let mut signals = call.thread.signals.lock();
        signals.suspended = Some(signals.mask);
        signals.mask = mask.without(SignalSet::UNSTOPPABLE);
    }
    if call.thread.has_signal() {
        enclave_rt::thread::set_pending();
    }
    let result = wait(call);
    if !matches!(result, Err(Errno::EINTR)) {
        let mut signals = call.thread.signals.lock();
        if let Some(before) = signals.suspended.take() {
            signals.mask = before;
        }
    }
    result
}
