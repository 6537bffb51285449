//! sigaltstack.

use kobject::{Errno, Result};

use super::Call;
use super::table::Row;
use crate::signal::{AlternateStack, frame};
use crate::uapi::SignalStack;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(131, "sigaltstack", sys_sigaltstack, "xx")];

fn sys_sigaltstack(call: &mut Call<'_>) -> Result<u64> {
    let (new, old) = (call.pointer(0), call.pointer(1));
    let stack_pointer = call.frame.registers().rsp;
    let new = user::get_if::<SignalStack>(new)?;
    let before: AlternateStack = call.thread.signals.lock().stack;
    if let Some(new) = new {
        if before.contains(stack_pointer) && !before.disarm {
            return Err(Errno::EPERM);
        }
        // What is asked for is what there is: it is not looked at.
        if !frame::is_same(&before, &new) {
            call.thread.signals.lock().stack = frame::parse(&new)?;
        }
    }
    user::put_if(old, &frame::describe(&before, stack_pointer))?;
    Ok(0)
}
