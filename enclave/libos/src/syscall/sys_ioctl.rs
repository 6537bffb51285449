//! ioctl: what concerns any descriptor; the rest is for the object that it refers to.

use kobject::{Errno, Result};
use linux_abi::{Ioctl, OpenFlags};

use super::new_descriptor::add_open;
use super::table::{Restart, Row};
use super::{Call, file_owner};
use crate::process::descriptors::OnExec;
use crate::terminal::{self, Master, Slave, job_control};
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(16, "ioctl", sys_ioctl, "dxx").restarts(Restart::WithFlag)];

fn sys_ioctl(call: &mut Call<'_>) -> Result<u64> {
    let (fd, request, argument) = (call.fd(0), Ioctl(call.uint(1)), call.ulong(2));
    let file = call.file(fd)?;
    let set = |flag: OpenFlags| {
        let on: i32 = user::get(argument)?;
        let mut flags = file.flags();
        flags.set(flag, on != 0);
        file_owner::set_flags(&file, fd, flags);
        Ok(0)
    };
    match request {
        Ioctl::FIOCLEX => call
            .thread
            .process
            .descriptors
            .with(|table| table.set_on_exec(fd, OnExec::Close))
            .map(|()| 0),
        Ioctl::FIONCLEX => call
            .thread
            .process
            .descriptors
            .with(|table| table.set_on_exec(fd, OnExec::Keep))
            .map(|()| 0),
        Ioctl::FIONBIO => set(OpenFlags::O_NONBLOCK),
        Ioctl::FIOASYNC => set(OpenFlags::O_ASYNC),
        Ioctl::TIOCGPTPEER if file.object_as::<Master>().is_some() => {
            let flags = OpenFlags::from_bits_truncate(argument as u32);
            let master = file.object_as::<Master>().ok_or(Errno::ENOTTY)?;
            let slave = terminal::open_by_name(master.terminal(), flags)?;
            let on_exec = OnExec::of(flags.contains(OpenFlags::O_CLOEXEC));
            Ok(add_open(&call.thread.process, slave, on_exec)?.into())
        }
        Ioctl::TIOCSCTTY if file.object_as::<Slave>().is_some() => {
            let slave = file.object_as::<Slave>().ok_or(Errno::ENOTTY)?;
            job_control::take(slave.terminal(), argument == 1, file.flags().readable()).map(|()| 0)
        }
        request => file.object().ioctl(request, argument),
    }
}
