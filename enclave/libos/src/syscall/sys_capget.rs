//! capget, capset.

use kobject::{Errno, Result};
use linux_abi::capability::{_LINUX_CAPABILITY_VERSION_3, ALL_CAPABILITIES};

use super::Call;
use super::sys_setuid::with;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        125,
        "capget",
        sys_capget,
        "xx",
        "root has all capabilities, others none",
    ),
    Row::partial(
        126,
        "capset",
        sys_capset,
        "xx",
        "giving up capabilities is accepted and has no effect",
    ),
];

/// capget: root has all capabilities within the container, others none.
fn sys_capget(call: &mut Call<'_>) -> Result<u64> {
    let (header, data) = (call.pointer(0), call.pointer(1));
    let [version, _pid]: [u32; 2] = user::get(header)?;
    if version != _LINUX_CAPABILITY_VERSION_3 {
        user::put(header, &_LINUX_CAPABILITY_VERSION_3)?;
        return if data == 0 { Ok(0) } else { Err(Errno::EINVAL) };
    }
    let has = if with(call, |c| c.euid()) == 0 {
        ALL_CAPABILITIES
    } else {
        0
    };
    let (low, high) = (has as u32, (has >> 32) as u32);
    // Effective, permitted, inheritable; low words, then high words.
    user::put_if(data, &[low, low, 0, high, high, 0])?;
    Ok(0)
}

/// capset: giving up capabilities is accepted and has no effect; asking for more than there are is refused.
fn sys_capset(call: &mut Call<'_>) -> Result<u64> {
    let (header, data) = (call.pointer(0), call.pointer(1));
    let [version, _pid]: [u32; 2] = user::get(header)?;
    if version != _LINUX_CAPABILITY_VERSION_3 {
        return Err(Errno::EINVAL);
    }
    let wanted: [u32; 6] = user::get(data)?;
    let permitted = u64::from(wanted[1]) | u64::from(wanted[4]) << 32;
    let has = if with(call, |c| c.euid()) == 0 {
        u64::MAX
    } else {
        0
    };
    if permitted & !has != 0 {
        Err(Errno::EPERM)
    } else {
        Ok(0)
    }
}
