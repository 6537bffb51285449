//! set_robust_list, get_robust_list.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};

use super::Call;
use super::sys_kcmp::may_inspect;
use super::table::Row;
use crate::process::table;
use crate::uapi::RobustListHead;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(273, "set_robust_list", sys_set_robust_list, "xd"),
    Row::full(274, "get_robust_list", sys_get_robust_list, "dxx"),
];

fn sys_set_robust_list(call: &mut Call<'_>) -> Result<u64> {
    if call.len(1) != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL);
    }
    call.thread.robust_list.store(call.pointer(0), Ordering::Relaxed);
    Ok(0)
}

fn sys_get_robust_list(call: &mut Call<'_>) -> Result<u64> {
    let (tid, head, len) = (call.uint(0), call.pointer(1), call.pointer(2));
    let thread = if tid == 0 {
        call.thread.clone()
    } else {
        table::thread(tid).ok_or(Errno::ESRCH)?
    };
    if !may_inspect(call.thread, &thread.process) {
        return Err(Errno::EPERM);
    }
    let list = thread.robust_list.load(Ordering::Relaxed);
    user::put(len, &(size_of::<RobustListHead>() as u64))?;
    user::put(head, &list)?;
    Ok(0)
}
