//! fcntl.

use kobject::{Errno, Result};
use libos_fs::Lease;
use linux_abi::{Capabilities, DescriptorFlags, FcntlCommand, OpenFlags, RecordLockType};

use super::new_descriptor::limit;
use super::sys_dup::duplicate;
use super::sys_setuid::with;
use super::table::{Restart, Row};
use super::{Call, file_owner, record_lock};
use crate::process::descriptors::OnExec;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    72,
    "fcntl",
    sys_fcntl,
    "ddx",
    "no directory notifications; O_ASYNC tells of pipes, terminals and Unix sockets only",
)
.restarts(Restart::WithFlag)];

fn sys_fcntl(call: &mut Call<'_>) -> Result<u64> {
    let (fd, command, argument) = (call.fd(0), FcntlCommand(call.uint(1)), call.ulong(2));
    let file = call.file_or_path(fd)?;
    let process = &call.thread.process;
    let allowed_on_path = matches!(
        command,
        FcntlCommand::F_DUPFD
            | FcntlCommand::F_DUPFD_CLOEXEC
            | FcntlCommand::F_GETFD
            | FcntlCommand::F_SETFD
            | FcntlCommand::F_GETFL
            | FcntlCommand::F_DUPFD_QUERY
    );
    if file.flags().contains(OpenFlags::O_PATH) && !allowed_on_path {
        return Err(Errno::EBADF);
    }
    match command {
        FcntlCommand::F_DUPFD | FcntlCommand::F_DUPFD_CLOEXEC => {
            let from = call.uint(2);
            if u64::from(from) >= limit(process) {
                return Err(Errno::EINVAL);
            }
            duplicate(call, from, OnExec::of(command == FcntlCommand::F_DUPFD_CLOEXEC))
        }
        // Whether another descriptor refers to the same open file.
        FcntlCommand::F_DUPFD_QUERY => {
            let other = call.file_or_path(call.fd(2))?;
            Ok(alloc::sync::Arc::ptr_eq(&file, &other).into())
        }
        FcntlCommand::F_GETFD => Ok(match process.descriptors.with(|table| table.on_exec(fd))? {
            OnExec::Close => DescriptorFlags::FD_CLOEXEC.bits().into(),
            OnExec::Keep => 0,
        }),
        FcntlCommand::F_SETFD => {
            let flags = DescriptorFlags::from_bits_retain(call.uint(2));
            let on_exec = OnExec::of(flags.contains(DescriptorFlags::FD_CLOEXEC));
            process.descriptors.with(|table| table.set_on_exec(fd, on_exec))?;
            Ok(0)
        }
        FcntlCommand::F_GETFL => Ok(file.flags().bits().into()),
        FcntlCommand::F_SETFL => {
            file_owner::set_flags(&file, fd, OpenFlags::from_bits_truncate(call.uint(2)));
            Ok(0)
        }
        FcntlCommand::F_GETLK
        | FcntlCommand::F_SETLK
        | FcntlCommand::F_SETLKW
        | FcntlCommand::F_OFD_GETLK
        | FcntlCommand::F_OFD_SETLK
        | FcntlCommand::F_OFD_SETLKW => record_lock::record_lock(call, &file, command, argument),
        FcntlCommand::F_SETOWN
        | FcntlCommand::F_GETOWN
        | FcntlCommand::F_SETSIG
        | FcntlCommand::F_GETSIG
        | FcntlCommand::F_SETOWN_EX
        | FcntlCommand::F_GETOWN_EX => file_owner::owner(call, &file, command),
        FcntlCommand::F_SETLEASE => {
            let lease = match i16::try_from(call.int(2)).map(RecordLockType) {
                Ok(RecordLockType::F_RDLCK) => Lease::Read,
                Ok(RecordLockType::F_WRLCK) => Lease::Write,
                Ok(RecordLockType::F_UNLCK) => Lease::None,
                _ => return Err(Errno::EINVAL),
            };
            file_owner::set_lease(call, &file, fd, lease)
        }
        FcntlCommand::F_GETLEASE => Ok(match crate::container().vfs().lease(&file) {
            Lease::None => RecordLockType::F_UNLCK,
            Lease::Read => RecordLockType::F_RDLCK,
            Lease::Write => RecordLockType::F_WRLCK,
        }
        .0 as u64),
        FcntlCommand::F_SETPIPE_SZ | FcntlCommand::F_GETPIPE_SZ => {
            let pipe = file.object_as::<libos_io::pipe::PipeEnd>().ok_or(Errno::EBADF)?;
            if command == FcntlCommand::F_GETPIPE_SZ {
                return Ok(pipe.capacity() as u64);
            }
            let privileged = with(call, |caller| caller.has(Capabilities::CAP_SYS_RESOURCE));
            Ok(pipe.set_capacity(argument, privileged)? as u64)
        }
        FcntlCommand::F_ADD_SEALS => {
            crate::container().vfs().add_seals(&file, call.uint(2))?;
            Ok(0)
        }
        FcntlCommand::F_GET_SEALS => Ok(crate::container().vfs().seals(&file)?.bits().into()),
        _ => Err(Errno::EINVAL),
    }
}
