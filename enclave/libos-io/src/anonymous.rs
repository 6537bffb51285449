//! What `fstat` says of objects without a name, and the few `ioctl` answers that they share.

use core::sync::atomic::{AtomicU64, Ordering};

use enclave_rt::user;
use kobject::{FileKind, Result, Stat, clock};
use linux_abi::stat::makedev;

static NEXT_INODE: AtomicU64 = AtomicU64::new(1);

/// The device that anonymous objects seem to lie on; no mount has it.
const DEVICE: u64 = makedev(0, 15);

/// A fresh identity for a pipe or socket.
pub(crate) fn next_inode() -> u64 {
    NEXT_INODE.fetch_add(1, Ordering::Relaxed)
}

/// The attributes of such an object.
///
/// # Errors
/// Never; it is what a file answers `fstat` with.
pub fn stat(kind: FileKind, permissions: u32, inode: u64) -> Result<Stat> {
    let now = clock::timestamp();
    let mut stat = Stat::new(kind, permissions, inode);
    stat.device = DEVICE;
    (stat.accessed, stat.modified, stat.changed) = (now, now, now);
    Ok(stat)
}

/// Answers an `ioctl` with an `int`.
pub(crate) fn answer_int(argument: u64, value: usize) -> Result<u64> {
    let value = i32::try_from(value).unwrap_or(i32::MAX);
    user::write(argument, &value.to_ne_bytes())?;
    Ok(0)
}
