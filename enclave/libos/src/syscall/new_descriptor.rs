//! Descriptors for new objects: the flags that the calls which make them share, and the process's limit.

use alloc::sync::Arc;

use kobject::{Description, Errno, File, Result};
use linux_abi::{OpenFlags, Resource};

use crate::process::descriptors::{Fd, OnExec};
use crate::process::{CURRENT, Process};

/// O_NONBLOCK and O_CLOEXEC, which all these calls take (as EFD_NONBLOCK, TFD_CLOEXEC and so on); EINVAL for bits beyond these and
/// `others`.
pub(super) fn flags(raw: u32, others: u32) -> Result<(OpenFlags, OnExec)> {
    let common = OpenFlags::O_NONBLOCK | OpenFlags::O_CLOEXEC;
    if raw & !(common.bits() | others) != 0 {
        return Err(Errno::EINVAL);
    }
    let given = OpenFlags::from_bits_retain(raw);
    Ok((
        OpenFlags::O_RDWR | given & OpenFlags::O_NONBLOCK,
        OnExec::of(given.contains(OpenFlags::O_CLOEXEC)),
    ))
}

/// Opens a descriptor for a new object.
pub(super) fn add(process: &Process, object: Arc<dyn File>, flags: OpenFlags, on_exec: OnExec) -> Result<Fd> {
    if let Some(attributes) = object.attributes() {
        let credentials = CURRENT.with(|thread| thread.credentials());
        attributes.set_owner((credentials.fsuid(), credentials.fsgid()));
    }
    add_open(process, Description::new(object, flags, b""), on_exec)
}

/// Opens a descriptor for an open file.
pub(super) fn add_open(process: &Process, file: Arc<Description>, on_exec: OnExec) -> Result<Fd> {
    let limit = limit(process);
    process
        .descriptors
        .with(|table| table.add(&file, on_exec, 0, limit))
}

/// Most descriptors, as the process's limit has it.
pub(super) fn limit(process: &Process) -> u64 {
    process.limits.lock()[Resource::RLIMIT_NOFILE].current
}
