//! prctl.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};

use super::Call;
use super::table::Row;
use crate::signal::Signal;
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
    let (option, argument) = (call.uint(0), call.ulong(1));
    let process = &call.thread.process;
    match option {
        // PR_SET_PDEATHSIG, PR_GET_PDEATHSIG
        1 if argument <= Signal::COUNT as u64 => {
            process.death_signal.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        2 => user::put(argument, &process.death_signal.load(Ordering::Relaxed)).map(|()| 0),
        // PR_GET_DUMPABLE, PR_SET_DUMPABLE
        3 => Ok(process.dumpable.load(Ordering::Relaxed).into()),
        4 if argument <= 1 => {
            process.dumpable.store(argument as u32, Ordering::Relaxed);
            Ok(0)
        }
        // PR_GET_KEEPCAPS, PR_SET_KEEPCAPS
        7 => Ok(0),
        8 if argument <= 1 => Ok(0),
        // PR_SET_NAME, PR_GET_NAME
        15 => {
            let mut name = [0; 16];
            for (place, at) in name.iter_mut().take(15).zip(argument..) {
                *place = user::get(at)?;
                if *place == 0 {
                    break;
                }
            }
            *call.thread.name.lock() = name;
            Ok(0)
        }
        16 => {
            let name = *call.thread.name.lock();
            user::put(argument, &name)?;
            Ok(0)
        }
        // PR_GET_SECCOMP: none
        21 => Ok(0),
        // PR_CAPBSET_READ: root's bounding set is full; PR_CAPBSET_DROP has no effect
        23 | 24 if argument <= 40 => Ok(u64::from(option == 23)),
        // PR_SET_TIMERSLACK, PR_GET_TIMERSLACK
        29 => Ok(0),
        30 => Ok(50_000),
        // PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER
        36 => Ok(0),
        37 => user::put(argument, &0u32).map(|()| 0),
        // PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS: nothing here gains privileges
        38 if argument == 1 => Ok(0),
        39 => Ok(1),
        // PR_GET_THP_DISABLE, PR_SET_THP_DISABLE
        41 | 42 => Ok(0),
        // PR_CAP_AMBIENT: the set is empty
        47 => Ok(0),
        // PR_SET_VMA: names for anonymous memory
        0x5356_4d41 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
