//! Host calls about standard streams. They are shared with the shell, so they stay as blocking as they are: a call that may not wait polls
//! first.

use std::mem::MaybeUninit;

use host_abi::{
    Answer, HostFd, StreamKind, StreamRead, StreamStat, StreamWrite, TerminalGet, TerminalSet, Wait,
    WindowSize,
};

use super::{Caller, Staging, value};
use crate::kernel::{self, Deadline};

pub(super) fn read(call: StreamRead, caller: Caller) -> Answer {
    if let Err(error) = ready(call.fd, libc::POLLIN, call.wait, caller) {
        return value(error);
    }
    let args = [
        call.fd.raw().into(),
        caller.staging.address(),
        call.len as u64,
        0,
        0,
        0,
    ];
    // SAFETY: `StreamRead` bounds the length to the staging buffer.
    value(unsafe { caller.waker.blocking(libc::SYS_read, args) })
}

pub(super) fn write(call: StreamWrite, caller: Caller) -> Answer {
    if let Err(error) = ready(call.fd, libc::POLLOUT, call.wait, caller) {
        return value(error);
    }
    let fd: u64 = call.fd.raw().into();
    let address = caller.staging.address();
    let may_wait = call.wait == Wait::FOREVER;
    let is_socket = !may_wait && file_type(call.fd) == Ok(libc::S_IFSOCK);
    if is_socket {
        let flags = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as u64;
        // SAFETY: `StreamWrite` bounds the length to the staging buffer.
        return value(unsafe {
            kernel::syscall(libc::SYS_sendto, [fd, address, call.len as u64, flags, 0, 0])
        });
    }
    // A pipe or terminal that polls as writable takes this much without blocking (pipe(7)).
    let is_bounded = !may_wait && matches!(file_type(call.fd), Ok(libc::S_IFIFO | libc::S_IFCHR));
    let len = if is_bounded {
        call.len.min(libc::PIPE_BUF)
    } else {
        call.len
    };
    // SAFETY: as above.
    value(unsafe {
        caller
            .waker
            .blocking(libc::SYS_write, [fd, address, len as u64, 0, 0, 0])
    })
}

/// Waits until the stream can be used without blocking; at once for calls that may block.
fn ready(fd: HostFd, events: i16, wait: Wait, caller: Caller) -> Result<(), i64> {
    match Deadline::of(wait) {
        Deadline::Never => Ok(()),
        deadline => wait_for(fd, events, deadline, caller),
    }
}

/// Polls one descriptor: an error, EAGAIN after the deadline, or it is ready.
pub(super) fn wait_for(fd: HostFd, events: i16, deadline: Deadline, caller: Caller) -> Result<(), i64> {
    let mut entry = libc::pollfd {
        fd: fd.raw().cast_signed(),
        events,
        revents: 0,
    };
    let limit = deadline.remaining();
    let limit = kernel::timespec_address(limit.as_ref());
    let args = [(&raw mut entry) as u64, 1, limit, 0, 0, 0];
    // SAFETY: one entry, and a limit that lives until the call is over.
    match unsafe { caller.waker.blocking(libc::SYS_ppoll, args) } {
        0 => Err(kernel::error(libc::EAGAIN)),
        error if error < 0 => Err(error),
        _ => Ok(()),
    }
}

fn status(fd: HostFd) -> Result<libc::stat, i64> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: writes the structure.
    let result = kernel::result(unsafe { libc::fstat(fd.raw().cast_signed(), status.as_mut_ptr()) });
    if result < 0 {
        return Err(result);
    }
    // SAFETY: written, since the call succeeded.
    Ok(unsafe { status.assume_init() })
}

fn file_type(fd: HostFd) -> Result<libc::mode_t, i64> {
    status(fd).map(|status| status.st_mode & libc::S_IFMT)
}

pub(super) fn stat(call: StreamStat) -> Answer {
    // SAFETY: no preconditions.
    let is_terminal = unsafe { libc::isatty(call.fd.raw().cast_signed()) } == 1;
    let kind = match file_type(call.fd) {
        _ if is_terminal => StreamKind::Terminal,
        Ok(libc::S_IFIFO | libc::S_IFSOCK) => StreamKind::Pipe,
        Ok(libc::S_IFREG) => StreamKind::File,
        Ok(_) => StreamKind::Device,
        Err(_) => StreamKind::Closed,
    };
    value(kind as i64)
}

pub(super) fn terminal_get(call: TerminalGet, staging: Staging) -> Answer {
    let args = [call.fd.raw().into(), libc::TCGETS, staging.address(), 0, 0, 0];
    // SAFETY: writes the kernel's `struct termios`, 36 bytes.
    value(unsafe { kernel::syscall(libc::SYS_ioctl, args) })
}

pub(super) fn terminal_set(call: TerminalSet, caller: Caller) -> Answer {
    let request = libc::TCSETS + u64::from(call.when);
    let args = [call.fd.raw().into(), request, caller.staging.address(), 0, 0, 0];
    // It may wait until output has been written.
    // SAFETY: reads the kernel's `struct termios`, 36 bytes.
    value(unsafe { caller.waker.blocking(libc::SYS_ioctl, args) })
}

pub(super) fn window_size(call: WindowSize) -> Answer {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let args = [
        call.fd.raw().into(),
        libc::TIOCGWINSZ,
        (&raw mut size) as u64,
        0,
        0,
        0,
    ];
    // SAFETY: writes the structure.
    let result = unsafe { kernel::syscall(libc::SYS_ioctl, args) };
    Answer {
        value: result,
        extra: [size.ws_row.into(), size.ws_col.into()],
    }
}
