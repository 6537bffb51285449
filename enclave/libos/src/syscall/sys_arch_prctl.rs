//! arch_prctl.

use enclave_rt::{processor, user as memory};
use kobject::{Errno, Result};
use linux_abi::ArchPrctlOption;

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
    match ArchPrctlOption(call.int(0)) {
        ArchPrctlOption::ARCH_SET_FS if memory::check(call.pointer(1), 1).is_ok() || call.pointer(1) == 0 => {
            processor::set_fs_base(call.pointer(1));
            Ok(0)
        }
        ArchPrctlOption::ARCH_SET_FS => Err(Errno::EPERM),
        ArchPrctlOption::ARCH_GET_FS => {
            user::put(call.pointer(1), &processor::fs_base())?;
            Ok(0)
        }
        ArchPrctlOption::ARCH_SET_GS => Err(Errno::EPERM),
        ArchPrctlOption::ARCH_GET_GS => {
            user::put(call.pointer(1), &0u64)?;
            Ok(0)
        }
        // Whether CPUID works: it does, and cannot be made to fault.
        ArchPrctlOption::ARCH_GET_CPUID => Ok(1),
        ArchPrctlOption::ARCH_SET_CPUID => Err(Errno::ENODEV),
        _ => Err(Errno::EINVAL),
    }
}
