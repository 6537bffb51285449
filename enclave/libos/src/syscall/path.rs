//! Arguments that are paths: the directory that they begin in, and the flags beside them.

use kobject::{Errno, Result};
use libos_fs::{At, Context};
use linux_abi::{AtFlags, OpenFlags};

use super::Call;
use crate::process::descriptors::Fd;

/// The working directory, in place of a descriptor.
pub(super) const AT_FDCWD: Fd = linux_abi::open::AT_FDCWD.cast_unsigned();

/// Where the paths of a process begin.
pub(super) fn context(call: &Call<'_>) -> Context {
    call.thread.context()
}

/// Calls `f` with the directory that a descriptor is.
pub(super) fn at<R>(call: &Call<'_>, fd: Fd, path: &[u8], f: impl FnOnce(At<'_>) -> Result<R>) -> Result<R> {
    // An absolute path does not look at the descriptor at all.
    if fd == AT_FDCWD || path.first() == Some(&b'/') {
        return f(At::Cwd);
    }
    let file = call.file(fd)?;
    f(At::Descriptor(&file))
}

/// The AT_ flags of a call: EINVAL for those that it does not take.
pub(super) fn at_flags(raw: u32, allowed: AtFlags) -> Result<AtFlags> {
    AtFlags::from_bits(raw)
        .filter(|&flags| allowed.contains(flags))
        .ok_or(Errno::EINVAL)
}

/// What most calls take.
pub(super) const EITHER: AtFlags = AtFlags::AT_SYMLINK_NOFOLLOW.union(AtFlags::AT_EMPTY_PATH);

/// What changes an open file refuses one that was opened with O_PATH: EBADF.
pub(super) fn open_only(call: &Call<'_>) -> Result<()> {
    let is_path = call.file(call.fd(0))?.flags().contains(OpenFlags::O_PATH);
    if is_path { Err(Errno::EBADF) } else { Ok(()) }
}
