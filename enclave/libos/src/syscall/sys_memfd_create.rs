//! memfd_create.

use kobject::{Errno, Result};

use super::Call;
use super::new_descriptor::add_open;
use super::table::Row;
use crate::process::descriptors::OnExec;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    319,
    "memfd_create",
    sys_memfd_create,
    "sx",
    "MFD_HUGETLB has no effect",
)];

fn sys_memfd_create(call: &mut Call<'_>) -> Result<u64> {
    const CLOEXEC: u32 = 1;
    const ALLOW_SEALING: u32 = 2;
    const HUGETLB: u32 = 4;
    const NOEXEC_SEAL: u32 = 8;
    const EXEC: u32 = 16;
    const F_SEAL_SEAL: u32 = 1;
    let (name, raw) = (call.pointer(0), call.uint(1));
    if raw & !(CLOEXEC | ALLOW_SEALING | HUGETLB | NOEXEC_SEAL | EXEC | 0xfc00_0000) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = user::get_string(name, 249, Errno::EINVAL)?;
    let context = call.thread.process.context.lock().clone();
    let seals = if raw & (ALLOW_SEALING | NOEXEC_SEAL) != 0 {
        0
    } else {
        F_SEAL_SEAL
    };
    let file = crate::container()
        .vfs
        .anonymous_file(&context, &name, Some(seals))?;
    Ok(add_open(&call.thread.process, file, OnExec::of(raw & CLOEXEC != 0))?.into())
}
