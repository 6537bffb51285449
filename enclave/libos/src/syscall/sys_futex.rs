//! futex.

use kobject::{Errno, Result, clock};

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

const PRIVATE: u32 = 128;

const CLOCK_REALTIME: u32 = 256;

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
    let scope = if operation & PRIVATE != 0 {
        Scope::Private
    } else {
        Scope::Shared
    };
    let thread = call.thread;
    let process = &thread.process;
    let command = operation & !(PRIVATE | CLOCK_REALTIME);
    let absolute = || -> Result<Option<u64>> {
        let Some(at) = user::get_if::<Timespec>(timeout)? else {
            return Ok(None);
        };
        let at = at.nanoseconds()?;
        Ok(Some(if operation & CLOCK_REALTIME != 0 {
            futex::deadline_of_realtime(at)
        } else {
            at
        }))
    };
    match command {
        // FUTEX_WAIT: a relative timeout.
        0 => {
            let timeout = user::get_if::<Timespec>(timeout)?
                .map(Timespec::nanoseconds)
                .transpose()?;
            let deadline = timeout.map(|timeout| clock::monotonic().saturating_add(timeout));
            futex::wait(thread, address, value, u32::MAX, deadline, scope)?;
            Ok(0)
        }
        // FUTEX_WAIT_BITSET: an absolute one.
        9 => {
            futex::wait(thread, address, value, third, absolute()?, scope)?;
            Ok(0)
        }
        // FUTEX_WAKE, FUTEX_WAKE_BITSET
        1 | 10 => {
            let bits = if command == 1 { u32::MAX } else { third };
            if !address.is_multiple_of(4) || bits == 0 {
                return Err(Errno::EINVAL);
            }
            Ok(futex::wake(process, address, value, bits, scope).into())
        }
        // FUTEX_REQUEUE, FUTEX_CMP_REQUEUE
        3 | 4 => {
            let expected = (command == 4).then_some(third);
            let counts = (value, count);
            if (counts.0 as i32) < 0 || (counts.1 as i32) < 0 {
                return Err(Errno::EINVAL);
            }
            Ok(futex::requeue(process, address, second, counts, expected, scope)?.into())
        }
        // FUTEX_WAKE_OP
        5 => {
            let counts = (value, count);
            Ok(futex::wake_op(process, (address, second), counts, third, scope)?.into())
        }
        // FUTEX_LOCK_PI: its timeout is on CLOCK_REALTIME; FUTEX_LOCK_PI2: as the flag says.
        6 | 13 => {
            let deadline = match (command, user::get_if::<Timespec>(timeout)?) {
                (_, None) => None,
                (6, Some(at)) => Some(futex::deadline_of_realtime(at.nanoseconds()?)),
                _ => absolute()?,
            };
            futex::lock_pi(thread, address, deadline, true, scope)?;
            Ok(0)
        }
        // FUTEX_UNLOCK_PI
        7 => {
            futex::unlock_pi(thread, address, scope)?;
            Ok(0)
        }
        // FUTEX_TRYLOCK_PI
        8 => {
            futex::lock_pi(thread, address, None, false, scope)?;
            Ok(0)
        }
        _ => Err(Errno::ENOSYS),
    }
}
