//! inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch.

use kobject::{Errno, Result};
use libos_fs::Inotify;
use linux_abi::{InotifyMask, OpenFlags};

use super::Call;
use super::new_descriptor::{add, flags};
use super::table::Row;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(253, "inotify_init", sys_inotify_init, ""),
    Row::partial(
        254,
        "inotify_add_watch",
        sys_inotify_add_watch,
        "dsx",
        "nothing is told of files in /proc and /sys",
    ),
    Row::full(255, "inotify_rm_watch", sys_inotify_rm_watch, "dd"),
    Row::full(294, "inotify_init1", sys_inotify_init1, "x"),
];

fn sys_inotify_init(call: &mut Call<'_>) -> Result<u64> {
    make(call, 0)
}

fn sys_inotify_init1(call: &mut Call<'_>) -> Result<u64> {
    make(call, call.uint(0))
}

fn make(call: &Call<'_>, raw: u32) -> Result<u64> {
    let (given, on_exec) = flags(raw, 0)?;
    let process = &call.thread.process;
    let [user, ..] = call.thread.credentials().uid;
    let instance = Inotify::new(user)?;
    // It is only read.
    let fd = add(process, instance, given - OpenFlags::O_ACCMODE, on_exec)?;
    Ok(fd.into())
}

fn sys_inotify_add_watch(call: &mut Call<'_>) -> Result<u64> {
    let (fd, mask) = (call.fd(0), InotifyMask::from_bits_truncate(call.uint(2)));
    if mask.is_empty() {
        return Err(Errno::EINVAL);
    }
    let file = call.file(fd)?;
    if mask.contains(InotifyMask::IN_MASK_ADD | InotifyMask::IN_MASK_CREATE) {
        return Err(Errno::EINVAL);
    }
    let instance = file.object_as::<Inotify>().ok_or(Errno::EINVAL)?;
    let path = call.path(1)?;
    let context = call.thread.context();
    let watch = instance.watch(crate::container().vfs(), &context, &path, mask)?;
    Ok(watch as u64)
}

fn sys_inotify_rm_watch(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.fd(0))?;
    let instance = file.object_as::<Inotify>().ok_or(Errno::EINVAL)?;
    instance.remove(call.int(1))?;
    Ok(0)
}
