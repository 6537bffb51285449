//! getgroups, setgroups.

use alloc::vec::Vec;

use kobject::{Errno, Result};
use linux_abi::Capabilities;
use linux_abi::system::NGROUPS_MAX;

use super::Call;
use super::sys_setuid::{change, with};
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(115, "getgroups", sys_getgroups, "dx"),
    Row::full(116, "setgroups", sys_setgroups, "dx"),
];

fn sys_getgroups(call: &mut Call<'_>) -> Result<u64> {
    let groups = with(call, |c| c.groups.clone());
    let room = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    if room != 0 {
        if room < groups.len() {
            return Err(Errno::EINVAL);
        }
        let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
        user::put_bytes(call.pointer(1), &bytes)?;
    }
    Ok(groups.len() as u64)
}

fn sys_setgroups(call: &mut Call<'_>) -> Result<u64> {
    with(call, |caller| caller.require(Capabilities::CAP_SETGID))?;
    let count = usize::try_from(call.uint(0)).map_err(|_| Errno::EINVAL)?;
    let groups = user::get_all::<u32>(call.pointer(1), count, NGROUPS_MAX)?;
    // No group has this number.
    if groups.contains(&u32::MAX) {
        return Err(Errno::EINVAL);
    }
    change(call, |credentials| {
        credentials.groups = groups;
        Ok(())
    })
}
