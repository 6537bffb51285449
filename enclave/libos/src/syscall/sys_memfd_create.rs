//! memfd_create.

use kobject::{Errno, Result};
use linux_abi::file_system::MFD_NAME_MAX_LEN;
use linux_abi::memory::{MFD_HUGE_MASK, MFD_HUGE_SHIFT};
use linux_abi::{MemfdFlags, Seals};

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
    /// Which size huge pages are to have.
    const HUGE_PAGE_SIZE: u32 = MFD_HUGE_MASK << MFD_HUGE_SHIFT;
    let (name, raw) = (call.pointer(0), call.uint(1));
    let sizes = match MemfdFlags::from_bits_retain(raw).contains(MemfdFlags::MFD_HUGETLB) {
        true => HUGE_PAGE_SIZE,
        false => 0,
    };
    let flags = MemfdFlags::from_bits(raw & !sizes).ok_or(Errno::EINVAL)?;
    if flags.contains(MemfdFlags::MFD_EXEC | MemfdFlags::MFD_NOEXEC_SEAL) {
        return Err(Errno::EINVAL);
    }
    let name = user::get_string(name, MFD_NAME_MAX_LEN, Errno::EINVAL)?;
    let context = call.thread.context();
    let (permissions, seals) = match () {
        () if flags.contains(MemfdFlags::MFD_NOEXEC_SEAL) => (0o666, Seals::F_SEAL_EXEC),
        () if flags.contains(MemfdFlags::MFD_ALLOW_SEALING) => (0o777, Seals::empty()),
        () => (0o777, Seals::F_SEAL_SEAL),
    };
    let file = crate::container()
        .vfs()
        .anonymous_file(&context, &name, permissions, seals)?;
    let on_exec = OnExec::of(flags.contains(MemfdFlags::MFD_CLOEXEC));
    Ok(add_open(&call.thread.process, file, on_exec)?.into())
}
