//! getrandom.

use alloc::vec;

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
    let mut chunk = vec![0; len.min(4096)];
    while done < len {
        let part = (len - done).min(chunk.len());
        let bytes = chunk.get_mut(..part).ok_or(Errno::EFAULT)?;
        processor::random(bytes);
        user::put_bytes(at + done as u64, bytes)?;
        done += part;
    }
    Ok(len as u64)
}
