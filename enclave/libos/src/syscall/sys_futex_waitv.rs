//! The calls that took futex's operations apart: futex_waitv, futex_wake, futex_wait, futex_requeue.

use alloc::vec::Vec;

use kobject::{Errno, Result};
use linux_abi::futex::FUTEX_WAITV_MAX;
use linux_abi::{ClockId, Futex2Flags};

use super::Call;
use super::table::{Restart, Row};
use crate::futex::{Awaited, Scope};
use crate::uapi::{FutexWaiter, Timespec};
use crate::user::Address;
use crate::{futex, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(449, "futex_waitv", sys_futex_waitv, "xxxxx", ONE_NODE).restarts(Restart::WithFlag),
    Row::partial(454, "futex_wake", sys_futex_wake, "xxdx", ONE_NODE),
    Row::partial(455, "futex_wait", sys_futex_wait, "xxxxxd", ONE_NODE).restarts(Restart::WithFlag),
    Row::partial(456, "futex_requeue", sys_futex_requeue, "xxdd", ONE_NODE),
];

const ONE_NODE: &str = "words of 32 bits, as on Linux; no FUTEX2_NUMA and FUTEX2_MPOL";

fn sys_futex_waitv(call: &mut Call<'_>) -> Result<u64> {
    let (waiters, count, flags) = (call.pointer(0), call.uint(1), call.uint(2));
    let (timeout, clock) = (call.pointer(3), ClockId(call.int(4)));
    if flags != 0 || count == 0 || count > FUTEX_WAITV_MAX || waiters == 0 {
        return Err(Errno::EINVAL);
    }
    let deadline = deadline(timeout, clock)?;
    let words = all_awaited(waiters, count)?;
    Ok(futex::wait_multiple(call.thread, &words, deadline)? as u64)
}

fn sys_futex_wake(call: &mut Call<'_>) -> Result<u64> {
    let (address, mask, most) = (call.pointer(0), call.ulong(1), call.int(2));
    let scope = scope(call.uint(3))?;
    let mask = word(mask)?;
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    futex::check(address, scope)?;
    // A count below 1 stops after the first that is woken, but for 0, which stops before it (FLAGS_STRICT of the kernel).
    let most = u32::try_from(most).unwrap_or(1);
    Ok(futex::wake(&call.thread.process, address, most, mask, scope).into())
}

fn sys_futex_wait(call: &mut Call<'_>) -> Result<u64> {
    let (address, expected, mask) = (call.pointer(0), call.ulong(1), call.ulong(2));
    let scope = scope(call.uint(3))?;
    let (expected, mask) = (word(expected)?, word(mask)?);
    let deadline = deadline(call.pointer(4), ClockId(call.int(5)))?;
    futex::wait(call.thread, address, expected, mask, deadline, scope)?;
    Ok(0)
}

fn sys_futex_requeue(call: &mut Call<'_>) -> Result<u64> {
    let (pair, flags) = (call.pointer(0), call.uint(1));
    if flags != 0 || pair == 0 {
        return Err(Errno::EINVAL);
    }
    let pair = all_awaited(pair, 2)?;
    let [from, to] = pair.as_slice() else {
        return Err(Errno::EINVAL);
    };
    let counts = (u32::try_from(call.int(2)), u32::try_from(call.int(3)));
    let (Ok(wake), Ok(move_on)) = counts else {
        return Err(Errno::EINVAL);
    };
    if from.scope != to.scope {
        return Err(Errno::EINVAL);
    }
    let process = &call.thread.process;
    let expected = Some(from.expected);
    let count = futex::requeue(
        process,
        from.address,
        to.address,
        (wake, move_on),
        expected,
        from.scope,
    )?;
    Ok(count.into())
}

/// The deadline on CLOCK_MONOTONIC of a time on either clock, which may not be given.
fn deadline(timeout: Address, clock: ClockId) -> Result<Option<u64>> {
    if timeout == 0 {
        return Ok(None);
    }
    let is_realtime = match clock {
        ClockId::CLOCK_REALTIME => true,
        ClockId::CLOCK_MONOTONIC => false,
        _ => return Err(Errno::EINVAL),
    };
    let at = user::get::<Timespec>(timeout)?.nanoseconds()?;
    Ok(Some(match is_realtime {
        true => futex::deadline_of_realtime(at),
        false => at,
    }))
}

/// An array of `struct futex_waitv`.
fn all_awaited(at: Address, count: u32) -> Result<Vec<Awaited>> {
    let element = |index: u64| {
        let at = at.checked_add(index * size_of::<FutexWaiter>() as u64);
        awaited(user::get(at.ok_or(Errno::EFAULT)?)?)
    };
    (0..u64::from(count)).map(element).collect()
}

/// What one element asks for; EINVAL for flags and sizes that do not exist.
fn awaited(waiter: FutexWaiter) -> Result<Awaited> {
    if waiter.reserved != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Awaited {
        address: waiter.address,
        scope: scope(waiter.flags)?,
        expected: word(waiter.value)?,
    })
}

/// Whose word is meant; EINVAL for flags that there are not, and for words of another size than 32 bits.
fn scope(flags: u32) -> Result<Scope> {
    let flags = Futex2Flags::from_bits(flags).ok_or(Errno::EINVAL)?;
    match flags - Futex2Flags::FUTEX2_PRIVATE {
        Futex2Flags::FUTEX2_SIZE_U32 if flags.contains(Futex2Flags::FUTEX2_PRIVATE) => Ok(Scope::Private),
        Futex2Flags::FUTEX2_SIZE_U32 => Ok(Scope::Shared),
        _ => Err(Errno::EINVAL),
    }
}

/// A value or a mask, which has as many bits as the word; EINVAL beyond.
fn word(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Errno::EINVAL)
}
