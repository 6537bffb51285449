//! capget, capset.

use kobject::{Errno, Privileges, Result};
use linux_abi::Capabilities;
use linux_abi::capability::{
    _LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_2, _LINUX_CAPABILITY_VERSION_3,
};

use super::Call;
use super::sys_setpgid::process_of;
use super::sys_setuid::change;
use super::table::Row;
use crate::process::table;
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(125, "capget", sys_capget, "xx"),
    Row::full(126, "capset", sys_capset, "xx"),
];

/// `struct __user_cap_data_struct`: 32 bits of the effective, the permitted and the inheritable set.
type Data = [u32; 3];

/// How many of [`Data`] there are, low bits first, in the version that a header asks for. Another one than those that there are is
/// EINVAL, and is answered with the newest.
fn words(header: Address) -> Result<usize> {
    match user::get::<u32>(header)? {
        _LINUX_CAPABILITY_VERSION_1 => Ok(1),
        _LINUX_CAPABILITY_VERSION_2 | _LINUX_CAPABILITY_VERSION_3 => Ok(2),
        _ => {
            user::put(header, &_LINUX_CAPABILITY_VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

/// The process or thread that a header names.
fn pid(header: Address) -> Result<i32> {
    user::get(header.checked_add(4).ok_or(Errno::EFAULT)?)
}

fn sys_capget(call: &mut Call<'_>) -> Result<u64> {
    let (header, data) = (call.pointer(0), call.pointer(1));
    let words = words(header);
    if data == 0 {
        // Asks for the version alone.
        return match words {
            Err(Errno::EINVAL) => Ok(0),
            other => other.map(|_| 0),
        };
    }
    let words = words?;
    let pid = u32::try_from(pid(header)?).map_err(|_| Errno::EINVAL)?;
    let credentials = match (pid, table::thread(pid)) {
        (0, _) => call.thread.credentials(),
        (_, Some(thread)) => thread.credentials(),
        // One that has ended.
        (_, None) => process_of(call, pid)?.credentials(),
    };
    let Privileges {
        effective,
        permitted,
        inheritable,
        ..
    } = credentials.privileges;
    let sets = [effective, permitted, inheritable].map(|set| set.bits());
    let halves: [Data; 2] = [sets.map(|set| set as u32), sets.map(|set| (set >> 32) as u32)];
    for (half, at) in halves.iter().take(words).zip((data..).step_by(size_of::<Data>())) {
        user::put(at, half)?;
    }
    Ok(0)
}

fn sys_capset(call: &mut Call<'_>) -> Result<u64> {
    let (header, data) = (call.pointer(0), call.pointer(1));
    let words = words(header)?;
    let pid = pid(header)?;
    if ![0, call.thread.tid]
        .iter()
        .any(|&own| i64::from(own) == i64::from(pid))
    {
        return Err(Errno::EPERM);
    }
    let mut halves: [Data; 2] = [[0; 3]; 2];
    for (half, at) in halves
        .iter_mut()
        .take(words)
        .zip((data..).step_by(size_of::<Data>()))
    {
        *half = user::get(at)?;
    }
    let [low, high] = halves;
    let set = |n: usize| {
        let half = |half: Data| half.get(n).copied().map_or(0, u64::from);
        Capabilities::from_bits_truncate(half(low) | half(high) << 32)
    };
    change(call, |credentials| {
        credentials.privileges.set(set(0), set(1), set(2))
    })
}
