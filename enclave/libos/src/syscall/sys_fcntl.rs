//! fcntl.

use kobject::{Errno, Result, StatusFlags};

use super::new_descriptor::limit;
use super::sys_dup::duplicate;
use super::table::{Restart, Row};
use super::{Call, record_lock};
use crate::process::descriptors::OnExec;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    72,
    "fcntl",
    sys_fcntl,
    "ddx",
    "no leases, directory notifications or owners (F_SETOWN)",
)
.restarts(Restart::WithFlag)];

fn sys_fcntl(call: &mut Call<'_>) -> Result<u64> {
    let (fd, command, argument) = (call.fd(0), call.uint(1), call.ulong(2));
    let file = call.file(fd)?;
    let process = &call.thread.process;
    let allowed_on_path = matches!(command, 0..=3 | 1030);
    if file.flags().contains(StatusFlags::PATH) && !allowed_on_path {
        return Err(Errno::EBADF);
    }
    match command {
        // F_DUPFD, F_DUPFD_CLOEXEC
        0 | 1030 => {
            let from = call.uint(2);
            if u64::from(from) >= limit(process) {
                return Err(Errno::EINVAL);
            }
            duplicate(call, from, OnExec::of(command == 1030))
        }
        // F_GETFD, F_SETFD
        1 => Ok(u64::from(
            process.descriptors.lock().on_exec(fd)? == OnExec::Close,
        )),
        2 => {
            process
                .descriptors
                .lock()
                .set_on_exec(fd, OnExec::of(argument & 1 != 0))?;
            Ok(0)
        }
        // F_GETFL, F_SETFL
        3 => Ok(file.flags().bits().into()),
        4 => {
            file.set_flags(StatusFlags::from_bits_truncate(call.uint(2)));
            Ok(0)
        }
        // F_GETLK, F_SETLK, F_SETLKW; F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW
        5..=7 | 36..=38 => record_lock::record_lock(call, &file, command, argument),
        // F_SETOWN, F_GETOWN: nobody is told by SIGIO
        8 => Ok(0),
        9 => Ok(0),
        // F_SETPIPE_SZ, F_GETPIPE_SZ
        1031 | 1032 => {
            let pipe = file.object_as::<libos_io::pipe::PipeEnd>().ok_or(Errno::EBADF)?;
            if command == 1032 {
                return Ok(pipe.capacity() as u64);
            }
            let privileged = process.context.lock().credentials.is_privileged();
            Ok(pipe.set_capacity(argument, privileged)? as u64)
        }
        // F_ADD_SEALS, F_GET_SEALS
        1033 => {
            crate::container().vfs.add_seals(&file, call.uint(2))?;
            Ok(0)
        }
        1034 => Ok(crate::container().vfs.seals(&file)?.into()),
        _ => Err(Errno::EINVAL),
    }
}
