//! prctl.

use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::prctl::{PR_TSC_ENABLE, TASK_COMM_LEN};
use linux_abi::{AmbientCommand, Capabilities, PrctlOption, Securebits, Signal};

use super::Call;
use super::sys_setuid::{change, with};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    157,
    "prctl",
    sys_prctl,
    "dxxxx",
    "no PR_SET_SECCOMP, PR_SET_MM and PR_SET_MDWE; the time-stamp counter cannot be forbidden; names of memory are not shown",
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
        PrctlOption::PR_GET_KEEPCAPS => Ok(with(call, |caller| {
            let bits = caller.privileges.securebits;
            bits.contains(Securebits::SECBIT_KEEP_CAPS).into()
        })),
        PrctlOption::PR_SET_KEEPCAPS if argument <= 1 => change(call, |credentials| {
            credentials.privileges.set_keep_caps(argument == 1)
        }),
        PrctlOption::PR_GET_SECUREBITS => Ok(with(call, |caller| caller.privileges.securebits.bits().into())),
        PrctlOption::PR_SET_SECUREBITS => change(call, |credentials| {
            credentials.privileges.set_securebits(argument)
        }),
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
        PrctlOption::PR_CAPBSET_READ => {
            let capability = Capabilities::numbered(argument).ok_or(Errno::EINVAL)?;
            Ok(with(call, |caller| caller.privileges.bounding.contains(capability)).into())
        }
        PrctlOption::PR_CAPBSET_DROP => change(call, |credentials| {
            credentials.require(Capabilities::CAP_SETPCAP)?;
            credentials.privileges.bounding -= Capabilities::numbered(argument).ok_or(Errno::EINVAL)?;
            Ok(())
        }),
        PrctlOption::PR_CAP_AMBIENT => ambient(call, AmbientCommand(argument)),
        PrctlOption::PR_SET_TIMERSLACK => {
            let mut scheduling = call.thread.scheduling.lock();
            scheduling.timer_slack = if argument == 0 {
                scheduling.default_timer_slack
            } else {
                argument
            };
            Ok(0)
        }
        PrctlOption::PR_GET_TIMERSLACK => Ok(call.thread.scheduling.lock().timer_slack),
        PrctlOption::PR_SET_CHILD_SUBREAPER => {
            process.is_subreaper.store(argument != 0, Ordering::Relaxed);
            Ok(0)
        }
        PrctlOption::PR_GET_CHILD_SUBREAPER => {
            let is_subreaper = u32::from(process.is_subreaper.load(Ordering::Relaxed));
            user::put(argument, &is_subreaper).map(|()| 0)
        }
        PrctlOption::PR_SET_NO_NEW_PRIVS if argument == 1 && rest(call, 2) == 0 => {
            change(call, |credentials| {
                credentials.privileges.no_new_privs = true;
                Ok(())
            })
        }
        PrctlOption::PR_GET_NO_NEW_PRIVS if rest(call, 1) == 0 => {
            Ok(with(call, |caller| caller.privileges.no_new_privs).into())
        }
        PrctlOption::PR_SET_THP_DISABLE if rest(call, 2) == 0 => {
            process
                .thp_disabled
                .store((argument != 0).into(), Ordering::Relaxed);
            Ok(0)
        }
        PrctlOption::PR_GET_THP_DISABLE if rest(call, 1) == 0 => {
            Ok(process.thp_disabled.load(Ordering::Relaxed).into())
        }
        // Statistical, which is 0.
        PrctlOption::PR_GET_TIMING => Ok(0),
        PrctlOption::PR_SET_TIMING if argument == 0 => Ok(0),
        // It can be read, and that cannot be forbidden.
        PrctlOption::PR_GET_TSC => user::put(argument, &PR_TSC_ENABLE).map(|()| 0),
        PrctlOption::PR_SET_TSC if argument == u64::from(PR_TSC_ENABLE) => Ok(0),
        // Names for anonymous memory.
        PrctlOption::PR_SET_VMA => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// The bits that are set in any of the arguments from this one on.
fn rest(call: &Call<'_>, first: usize) -> u64 {
    (first..5).fold(0, |bits, index| bits | call.ulong(index))
}

/// PR_CAP_AMBIENT.
fn ambient(call: &Call<'_>, command: AmbientCommand) -> Result<u64> {
    if command == AmbientCommand::PR_CAP_AMBIENT_CLEAR_ALL {
        if rest(call, 2) != 0 {
            return Err(Errno::EINVAL);
        }
        return change(call, |credentials| {
            credentials.privileges.ambient = Capabilities::empty();
            Ok(())
        });
    }
    let capability = Capabilities::numbered(call.ulong(2)).filter(|_| rest(call, 3) == 0);
    let capability = capability.ok_or(Errno::EINVAL)?;
    match command {
        AmbientCommand::PR_CAP_AMBIENT_IS_SET => {
            Ok(with(call, |caller| caller.privileges.ambient.contains(capability)).into())
        }
        AmbientCommand::PR_CAP_AMBIENT_RAISE => change(call, |credentials| {
            credentials.privileges.raise_ambient(capability)
        }),
        AmbientCommand::PR_CAP_AMBIENT_LOWER => change(call, |credentials| {
            credentials.privileges.ambient -= capability;
            Ok(())
        }),
        _ => Err(Errno::EINVAL),
    }
}
