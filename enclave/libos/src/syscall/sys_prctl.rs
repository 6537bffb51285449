//! prctl.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::capability::CAP_LAST_CAP;
use linux_abi::prctl::TASK_COMM_LEN;
use linux_abi::{PrctlOption, Signal};

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    157,
    "prctl",
    sys_prctl,
    "dxxxx",
    "names, PR_SET_DUMPABLE, and options that need no effect",
)];

fn sys_prctl(call: &mut Call<'_>) -> Result<u64> {
    let (option, argument) = (PrctlOption(call.uint(0)), call.ulong(1));
    let process = &call.thread.process;
    match option {
        PrctlOption::PR_SET_PDEATHSIG if argument <= Signal::COUNT as u64 => {
            process.death_signal.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        PrctlOption::PR_GET_PDEATHSIG => {
            user::put(argument, &process.death_signal.load(Ordering::Relaxed)).map(|()| 0)
        }
        PrctlOption::PR_GET_DUMPABLE => Ok(process.dumpable.load(Ordering::Relaxed).into()),
        PrctlOption::PR_SET_DUMPABLE if argument <= 1 => {
            process.dumpable.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        PrctlOption::PR_GET_KEEPCAPS => Ok(0),
        PrctlOption::PR_SET_KEEPCAPS if argument <= 1 => Ok(0),
        PrctlOption::PR_SET_NAME => {
            let mut name = [0; TASK_COMM_LEN];
            for (place, at) in name.iter_mut().take(TASK_COMM_LEN - 1).zip(argument..) {
                *place = user::get(at)?;
                if *place == 0 {
                    break;
                }
            }
            *call.thread.name.lock() = name;
            Ok(0)
        }
        PrctlOption::PR_GET_NAME => {
            let name = *call.thread.name.lock();
            user::put(argument, &name)?;
            Ok(0)
        }
        // None.
        PrctlOption::PR_GET_SECCOMP => Ok(0),
        // Root's bounding set is full.
        PrctlOption::PR_CAPBSET_READ if argument <= CAP_LAST_CAP.into() => Ok(1),
        // Without effect.
        PrctlOption::PR_CAPBSET_DROP if argument <= CAP_LAST_CAP.into() => Ok(0),
        PrctlOption::PR_SET_TIMERSLACK => Ok(0),
        PrctlOption::PR_GET_TIMERSLACK => Ok(50_000),
        PrctlOption::PR_SET_CHILD_SUBREAPER => {
            process.is_subreaper.store(argument != 0, Ordering::Relaxed);
            Ok(0)
        }
        PrctlOption::PR_GET_CHILD_SUBREAPER => {
            let is_subreaper = u32::from(process.is_subreaper.load(Ordering::Relaxed));
            user::put(argument, &is_subreaper).map(|()| 0)
        }
        // Nothing here gains privileges.
        PrctlOption::PR_SET_NO_NEW_PRIVS if argument == 1 => Ok(0),
        PrctlOption::PR_GET_NO_NEW_PRIVS => Ok(1),
        PrctlOption::PR_SET_THP_DISABLE | PrctlOption::PR_GET_THP_DISABLE => Ok(0),
        // The set is empty.
        PrctlOption::PR_CAP_AMBIENT => Ok(0),
        // Names for anonymous memory.
        PrctlOption::PR_SET_VMA => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
