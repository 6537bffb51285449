//! arch_prctl.

use enclave_rt::{processor, user as memory};
use kobject::{Errno, Result};

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    158,
    "arch_prctl",
    sys_arch_prctl,
    "xx",
    "FS only: the LibOS uses GS itself",
)];

/// arch_prctl: the thread pointer. GS is the LibOS's.
fn sys_arch_prctl(call: &mut Call<'_>) -> Result<u64> {
    const SET_GS: i32 = 0x1001;
    const SET_FS: i32 = 0x1002;
    const GET_FS: i32 = 0x1003;
    const GET_GS: i32 = 0x1004;
    match call.int(0) {
        SET_FS if memory::check(call.pointer(1), 1).is_ok() || call.pointer(1) == 0 => {
            processor::set_fs_base(call.pointer(1));
            Ok(0)
        }
        SET_FS => Err(Errno::EPERM),
        GET_FS => {
            user::put(call.pointer(1), &processor::fs_base())?;
            Ok(0)
        }
        SET_GS => Err(Errno::EPERM),
        GET_GS => {
            user::put(call.pointer(1), &0u64)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}
