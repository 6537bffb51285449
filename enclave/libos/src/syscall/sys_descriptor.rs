//! What is done to descriptors and open files: close, dup, fcntl, lseek, ioctl, flock, getdents, fsync and their kin.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use kobject::{DirectoryEntry, DirectorySink, Errno, FileKind, Result, StatusFlags};

use super::Call;
use super::table::{Restart, Row};
use crate::process::Process;
use crate::process::descriptors::OnExec;
use crate::process::limits::FILES;
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(3, "close", sys_close, "d"),
    Row::full(436, "close_range", sys_close_range, "ddx"),
    Row::full(32, "dup", sys_dup, "d"),
    Row::full(33, "dup2", sys_dup2, "dd"),
    Row::full(292, "dup3", sys_dup3, "ddx"),
    Row::full(8, "lseek", sys_lseek, "ddd"),
    Row::full(16, "ioctl", sys_ioctl, "dxx"),
    Row::partial(
        72,
        "fcntl",
        sys_fcntl,
        "ddx",
        "no leases, no notifications, no owners",
    )
    .restarts(Restart::WithFlag),
    Row::full(73, "flock", sys_flock, "dd").restarts(Restart::WithFlag),
    Row::full(217, "getdents64", sys_getdents64, "dxd"),
    Row::partial(
        78,
        "getdents",
        sys_getdents,
        "dxd",
        "the old form, for programs of old",
    ),
    Row::full(74, "fsync", sys_fsync, "d"),
    Row::full(75, "fdatasync", sys_fsync, "d"),
    Row::full(306, "syncfs", sys_syncfs, "d"),
    Row::full(277, "sync_file_range", sys_syncfs, "dddx"),
    Row::full(162, "sync", sys_sync, ""),
    Row::partial(221, "fadvise64", sys_fadvise64, "dddd", "advice has no effect"),
    Row::partial(187, "readahead", sys_readahead, "ddd", "has no effect"),
];

/// Most descriptors, as the process's limit has it.
pub(super) fn limit(process: &Process) -> u64 {
    process.limits.lock().0[FILES].current
}

fn sys_close(call: &mut Call<'_>) -> Result<u64> {
    let process = &call.thread.process;
    let closed = process.take_descriptor(call.args[0] as u32)?;
    libos_fs::release_records(&closed, process.pid);
    Ok(0)
}

fn sys_close_range(call: &mut Call<'_>) -> Result<u64> {
    const UNSHARE: u64 = 2;
    const CLOEXEC: u64 = 4;
    let [first, last, flags, ..] = call.args;
    if flags & !(UNSHARE | CLOEXEC) != 0 || first as u32 > last as u32 {
        return Err(Errno::EINVAL);
    }
    let mut descriptors = call.thread.process.descriptors.lock();
    let closed = descriptors.remove_range(first as u32, last as u32, flags & CLOEXEC != 0);
    drop(descriptors);
    for file in &closed {
        libos_fs::release_records(file, call.thread.process.pid);
    }
    Ok(0)
}

fn sys_dup(call: &mut Call<'_>) -> Result<u64> {
    duplicate(call, 0, OnExec::Keep)
}

fn duplicate(call: &Call<'_>, from: u32, on_exec: OnExec) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let process = &call.thread.process;
    let limit = limit(process);
    let fd = process.descriptors.lock().add(&file, on_exec, from, limit)?;
    Ok(fd.into())
}

fn sys_dup2(call: &mut Call<'_>) -> Result<u64> {
    if call.args[0] as u32 == call.args[1] as u32 {
        call.file(call.args[0])?;
        return Ok(call.args[1]);
    }
    replace(call, OnExec::Keep)
}

fn sys_dup3(call: &mut Call<'_>) -> Result<u64> {
    const O_CLOEXEC: u64 = 0o2000000;
    if call.args[0] as u32 == call.args[1] as u32 || call.args[2] & !O_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    replace(call, OnExec::of(call.args[2] != 0))
}

fn replace(call: &Call<'_>, on_exec: OnExec) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let process = &call.thread.process;
    let fd = call.args[1] as u32;
    if u64::from(fd) >= limit(process) {
        return Err(Errno::EBADF);
    }
    let old = process.descriptors.lock().replace(fd, file, on_exec);
    if let Some(old) = old {
        libos_fs::release_records(&old, process.pid);
    }
    Ok(fd.into())
}

fn sys_lseek(call: &mut Call<'_>) -> Result<u64> {
    let [fd, offset, whence, ..] = call.args;
    call.file(fd)?.seek(offset as i64, whence as u32)
}

fn sys_ioctl(call: &mut Call<'_>) -> Result<u64> {
    const FIOCLEX: u32 = 0x5451;
    const FIONCLEX: u32 = 0x5450;
    const FIONBIO: u32 = 0x5421;
    const FIOASYNC: u32 = 0x5452;
    let [fd, request, argument, ..] = call.args;
    let file = call.file(fd)?;
    if file.flags().contains(StatusFlags::PATH) {
        return Err(Errno::EBADF);
    }
    let set = |flag: StatusFlags| {
        let on: i32 = user::get(argument)?;
        let mut flags = file.flags();
        flags.set(flag, on != 0);
        file.set_flags(flags);
        Ok(0)
    };
    match request as u32 {
        FIOCLEX => call
            .thread
            .process
            .descriptors
            .lock()
            .set_on_exec(fd as u32, OnExec::Close)
            .map(|()| 0),
        FIONCLEX => call
            .thread
            .process
            .descriptors
            .lock()
            .set_on_exec(fd as u32, OnExec::Keep)
            .map(|()| 0),
        FIONBIO => set(StatusFlags::NONBLOCK),
        FIOASYNC => set(StatusFlags::ASYNC),
        request => file.object().ioctl(request, argument),
    }
}

fn sys_fcntl(call: &mut Call<'_>) -> Result<u64> {
    let [fd, command, argument, ..] = call.args;
    let file = call.file(fd)?;
    let process = &call.thread.process;
    let command = command as u32;
    let allowed_on_path = matches!(command, 0..=3 | 1030);
    if file.flags().contains(StatusFlags::PATH) && !allowed_on_path {
        return Err(Errno::EBADF);
    }
    match command {
        // F_DUPFD, F_DUPFD_CLOEXEC
        0 | 1030 => {
            if argument >= limit(process) {
                return Err(Errno::EINVAL);
            }
            duplicate(call, argument as u32, OnExec::of(command == 1030))
        }
        // F_GETFD, F_SETFD
        1 => Ok(u64::from(
            process.descriptors.lock().on_exec(fd as u32)? == OnExec::Close,
        )),
        2 => {
            process
                .descriptors
                .lock()
                .set_on_exec(fd as u32, OnExec::of(argument & 1 != 0))?;
            Ok(0)
        }
        // F_GETFL, F_SETFL
        3 => Ok(file.flags().bits().into()),
        4 => {
            file.set_flags(StatusFlags::from_bits_truncate(argument as u32));
            Ok(0)
        }
        // F_GETLK, F_SETLK, F_SETLKW; F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW
        5..=7 | 36..=38 => super::sys_lock::record_lock(call, &file, command, argument),
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
            crate::container().vfs.add_seals(&file, argument as u32)?;
            Ok(0)
        }
        1034 => Ok(crate::container().vfs.seals(&file)?.into()),
        _ => Err(Errno::EINVAL),
    }
}

fn sys_flock(call: &mut Call<'_>) -> Result<u64> {
    super::sys_lock::flock(call)
}

/// Collects entries in one of the two forms that getdents has had.
struct Dirents {
    bytes: Vec<u8>,
    room: usize,
    /// getdents: the type is the last byte of the record; getdents64: it stands before the name.
    old: bool,
}

impl DirectorySink for Dirents {
    fn entry(&mut self, entry: DirectoryEntry<'_>) -> ControlFlow<()> {
        let header = if self.old { 18 } else { 19 };
        // The name's zero byte, and in the old form the type behind it.
        let size = (header + entry.name.len() + 1 + usize::from(self.old)).next_multiple_of(8);
        if self.bytes.len() + size > self.room {
            return ControlFlow::Break(());
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&entry.inode.to_le_bytes());
        self.bytes.extend_from_slice(&entry.next.to_le_bytes());
        self.bytes.extend_from_slice(&(size as u16).to_le_bytes());
        if !self.old {
            self.bytes.push(entry.kind.directory_type());
        }
        self.bytes.extend_from_slice(entry.name);
        self.bytes.resize(start + size, 0);
        if self.old
            && let Some(last) = self.bytes.last_mut()
        {
            *last = entry.kind.directory_type();
        }
        ControlFlow::Continue(())
    }
}

fn directory_entries(call: &Call<'_>, old: bool) -> Result<u64> {
    let [fd, at, len, ..] = call.args;
    let file = call.file(fd)?;
    // More at a time than any C library asks for gains nothing.
    let room = (len as u32 as usize).min(1 << 16);
    let before = file.position();
    let mut sink = Dirents {
        bytes: Vec::new(),
        room,
        old,
    };
    file.read_directory(&mut sink)?;
    if sink.bytes.is_empty() && file.position() != before {
        return Ok(0);
    }
    if sink.bytes.is_empty() && room < 24 {
        return Err(Errno::EINVAL);
    }
    user::put_bytes(at, &sink.bytes)?;
    Ok(sink.bytes.len() as u64)
}

fn sys_getdents64(call: &mut Call<'_>) -> Result<u64> {
    directory_entries(call, false)
}

fn sys_getdents(call: &mut Call<'_>) -> Result<u64> {
    directory_entries(call, true)
}

fn sys_fsync(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    if file.flags().contains(StatusFlags::PATH) {
        return Err(Errno::EBADF);
    }
    file.object().sync()?;
    Ok(0)
}

fn sys_syncfs(call: &mut Call<'_>) -> Result<u64> {
    call.file(call.args[0])?;
    Ok(0)
}

fn sys_sync(_: &mut Call<'_>) -> Result<u64> {
    crate::container().sync();
    Ok(0)
}

fn sys_fadvise64(call: &mut Call<'_>) -> Result<u64> {
    let [fd, _, _, advice, ..] = call.args;
    let file = call.file(fd)?;
    match file.object().stat()?.kind {
        FileKind::Fifo => Err(Errno::ESPIPE),
        _ if advice > 5 => Err(Errno::EINVAL),
        _ => Ok(0),
    }
}

fn sys_readahead(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    match file.object().stat()?.kind {
        FileKind::Regular if file.flags().readable() => Ok(0),
        FileKind::Regular => Err(Errno::EBADF),
        _ => Err(Errno::EINVAL),
    }
}
