//! futex.

use kobject::{Errno, Result, clock};
use linux_abi::futex::FUTEX_BITSET_MATCH_ANY;
use linux_abi::{FutexCommand, FutexFlags};

use super::Call;
use super::table::{Restart, Row};
use crate::futex::Scope;
use crate::uapi::Timespec;
use crate::{futex, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    202,
    "futex",
    sys_futex,
    "xxxxxx",
    "no FUTEX_WAIT_REQUEUE_PI; priorities do not exist, so none is inherited",
)
.restarts(Restart::WithFlag)];

fn sys_futex(call: &mut Call<'_>) -> Result<u64> {
    let (address, operation, value, timeout, second, third) = (
        call.pointer(0),
        call.uint(1),
        call.uint(2),
        call.pointer(3),
        call.pointer(4),
        call.uint(5),
    );
    // Where there is no time limit, its place holds a second count.
    let count = call.uint(3);
    let flags = FutexFlags::from_bits_truncate(operation);
    let scope = if flags.contains(FutexFlags::FUTEX_PRIVATE_FLAG) {
        Scope::Private
    } else {
        Scope::Shared
    };
    let thread = call.thread;
    let process = &thread.process;
    let command = FutexCommand(operation & !FutexFlags::all().bits());
    let absolute = || -> Result<Option<u64>> {
        let Some(at) = user::get_if::<Timespec>(timeout)? else {
            return Ok(None);
        };
        let at = at.nanoseconds()?;
        Ok(Some(if flags.contains(FutexFlags::FUTEX_CLOCK_REALTIME) {
            futex::deadline_of_realtime(at)
        } else {
            at
        }))
    };
    match command {
        // A relative timeout.
        FutexCommand::FUTEX_WAIT => {
            let timeout = user::get_if::<Timespec>(timeout)?
                .map(Timespec::nanoseconds)
                .transpose()?;
            let deadline = timeout.map(|timeout| clock::monotonic().saturating_add(timeout));
            futex::wait(thread, address, value, FUTEX_BITSET_MATCH_ANY, deadline, scope)?;
            Ok(0)
        }
        // An absolute one.
        FutexCommand::FUTEX_WAIT_BITSET => {
            futex::wait(thread, address, value, third, absolute()?, scope)?;
            Ok(0)
        }
        FutexCommand::FUTEX_WAKE | FutexCommand::FUTEX_WAKE_BITSET => {
            let bits = match command {
                FutexCommand::FUTEX_WAKE => FUTEX_BITSET_MATCH_ANY,
                _ => third,
            };
            if bits == 0 {
                return Err(Errno::EINVAL);
            }
            futex::check(address, scope)?;
            Ok(futex::wake(process, address, at_least_one(value), bits, scope).into())
        }
        FutexCommand::FUTEX_REQUEUE | FutexCommand::FUTEX_CMP_REQUEUE => {
            let expected = (command == FutexCommand::FUTEX_CMP_REQUEUE).then_some(third);
            let counts = (value, count);
            if (counts.0 as i32) < 0 || (counts.1 as i32) < 0 {
                return Err(Errno::EINVAL);
            }
            Ok(futex::requeue(process, address, second, counts, expected, scope)?.into())
        }
        FutexCommand::FUTEX_WAKE_OP => {
            let counts = (at_least_one(value), at_least_one(count));
            Ok(futex::wake_op(process, (address, second), counts, third, scope)?.into())
        }
        // The timeout of the first is on CLOCK_REALTIME, that of the second as the flag says.
        FutexCommand::FUTEX_LOCK_PI | FutexCommand::FUTEX_LOCK_PI2 => {
            let deadline = match (command, user::get_if::<Timespec>(timeout)?) {
                (_, None) => None,
                (FutexCommand::FUTEX_LOCK_PI, Some(at)) => {
                    Some(futex::deadline_of_realtime(at.nanoseconds()?))
                }
                _ => absolute()?,
            };
            futex::lock_pi(thread, address, deadline, true, scope)?;
            Ok(0)
        }
        FutexCommand::FUTEX_UNLOCK_PI => {
            futex::unlock_pi(thread, address, scope)?;
            Ok(0)
        }
        FutexCommand::FUTEX_TRYLOCK_PI => {
            futex::lock_pi(thread, address, None, false, scope)?;
            Ok(0)
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// How many to wake at most: Linux counts the first one before it looks, whatever the number is.
fn at_least_one(count: u32) -> u32 {
    count.cast_signed().max(1).cast_unsigned()
}
