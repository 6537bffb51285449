//! fallocate.

use kobject::{Errno, FileKind, Result};
use linux_abi::AllocateFlags;

use super::Call;
use super::table::Row;
use super::write_effects::{check_file_size, modified};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(285, "fallocate", sys_fallocate, "dxll")];

fn sys_fallocate(call: &mut Call<'_>) -> Result<u64> {
    let (fd, mode, offset, len) = (call.fd(0), call.uint(1), call.offset(2)?, call.offset(3)?);
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let mode = AllocateFlags::from_bits(mode).ok_or(Errno::EOPNOTSUPP)?;
    let file = call.file(fd)?;
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    let stat = file.object().stat()?;
    match stat.kind {
        FileKind::Regular => {}
        FileKind::Fifo => return Err(Errno::ESPIPE),
        FileKind::Directory => return Err(Errno::EISDIR),
        _ => return Err(Errno::ENODEV),
    }
    if offset.checked_add(len).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EFBIG);
    }
    if !mode.contains(AllocateFlags::FALLOC_FL_PUNCH_HOLE) && offset + len > stat.size {
        check_file_size(call, offset + len)?;
    }
    file.object().allocate(mode, offset, len)?;
    modified(call, &file);
    Ok(0)
}
