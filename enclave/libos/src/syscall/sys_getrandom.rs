//! getrandom.

use alloc::vec;

use enclave_layout::PAGE_SIZE;
use enclave_rt::processor;
use kobject::{Errno, Result};
use linux_abi::RandomFlags;

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(318, "getrandom", sys_getrandom, "xlx")];

fn sys_getrandom(call: &mut Call<'_>) -> Result<u64> {
    let (at, len, flags): (_, _, RandomFlags) = (call.pointer(0), call.len(1), call.flags(2)?);
    let exclusive = RandomFlags::GRND_RANDOM | RandomFlags::GRND_INSECURE;
    if exclusive == flags & exclusive {
        return Err(Errno::EINVAL);
    }
    let len = len.min(i32::MAX as usize);
    let mut done = 0;
    let mut page = vec![0; len.min(PAGE_SIZE as usize)];
    while done < len {
        // In pieces that end with pages: what can be written is, as on Linux.
        let to = at.checked_add(done as u64).ok_or(Errno::EFAULT)?;
        let part = (len - done).min((PAGE_SIZE - to % PAGE_SIZE) as usize);
        let bytes = page.get_mut(..part).ok_or(Errno::EFAULT)?;
        processor::random(bytes);
        match user::put_bytes(to, bytes) {
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
            Ok(()) => done += part,
        }
    }
    Ok(done as u64)
}
