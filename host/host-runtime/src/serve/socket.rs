//! Host calls about network sockets. All sockets are non-blocking: a call that may wait tries, polls and tries again.

use host_abi::{
    Accept, Answer, Bind, Close, Connect, GetPeerName, GetSockName, GetSockOpt, HostFd, Listen, MAX_SOCKADDR,
    Recv, Send, SetSockOpt, Shutdown, Socket, Unread, Wait, Wanted,
};

use super::stream::wait_for;
use super::{Caller, Staging, value};
use crate::kernel::{self, Deadline};

const EAGAIN: i64 = kernel::error(libc::EAGAIN);
const NEW: libc::c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// Where data begins in the staging buffer.
fn data(staging: Staging) -> u64 {
    staging.address() + MAX_SOCKADDR as u64
}

/// Tries until it is not EAGAIN, waiting for `events` in between.
fn retry(fd: HostFd, events: i16, wait: Wait, caller: Caller, mut attempt: impl FnMut() -> Answer) -> Answer {
    let mut answer = attempt();
    if answer.value != EAGAIN || wait == Wait::NONE {
        return answer;
    }
    let deadline = Deadline::of(wait);
    while answer.value == EAGAIN {
        if let Err(error) = wait_for(fd, events, deadline, caller) {
            return value(error);
        }
        answer = attempt();
    }
    answer
}

pub(super) fn socket(call: Socket) -> Answer {
    let kind = libc::c_int::from(call.kind) | NEW;
    // SAFETY: no preconditions.
    let fd = unsafe { libc::socket(call.domain.into(), kind, call.protocol.into()) };
    value(kernel::result(fd))
}

pub(super) fn bind(call: Bind, staging: Staging) -> Answer {
    let args = [
        call.fd.raw().into(),
        staging.address(),
        call.address_len as u64,
        0,
        0,
        0,
    ];
    // SAFETY: `Bind` bounds the length to the staging buffer.
    value(unsafe { kernel::syscall(libc::SYS_bind, args) })
}

pub(super) fn listen(call: Listen) -> Answer {
    // SAFETY: no preconditions.
    value(unsafe {
        kernel::syscall(
            libc::SYS_listen,
            [call.fd.raw().into(), call.backlog.into(), 0, 0, 0, 0],
        )
    })
}

pub(super) fn accept(call: Accept, caller: Caller) -> Answer {
    retry(call.fd, libc::POLLIN, call.wait, caller, || {
        let mut len = MAX_SOCKADDR as u32;
        let args = [
            call.fd.raw().into(),
            caller.staging.address(),
            (&raw mut len) as u64,
            NEW as u64,
            0,
            0,
        ];
        // SAFETY: writes at most `len` bytes to the staging buffer, and the length.
        let fd = unsafe { kernel::syscall(libc::SYS_accept4, args) };
        Answer {
            value: fd,
            extra: [len.min(MAX_SOCKADDR as u32).into(), 0],
        }
    })
}

pub(super) fn connect(call: Connect, caller: Caller) -> Answer {
    let args = [
        call.fd.raw().into(),
        caller.staging.address(),
        call.address_len as u64,
        0,
        0,
        0,
    ];
    // SAFETY: `Connect` bounds the length to the staging buffer.
    let result = unsafe { kernel::syscall(libc::SYS_connect, args) };
    let is_under_way = result == kernel::error(libc::EINPROGRESS) || result == kernel::error(libc::EALREADY);
    if !is_under_way || call.wait == Wait::NONE {
        return value(result);
    }
    match wait_for(call.fd, libc::POLLOUT, Deadline::of(call.wait), caller) {
        Ok(()) => value(-connect_error(call.fd)),
        // As Linux does after SO_SNDTIMEO.
        Err(EAGAIN) => value(kernel::error(libc::EINPROGRESS)),
        Err(error) => value(error),
    }
}

/// SO_ERROR: how the connection has ended.
fn connect_error(fd: HostFd) -> i64 {
    let (mut error, mut len) = (0i32, size_of::<i32>() as u32);
    let args = [
        fd.raw().into(),
        libc::SOL_SOCKET as u64,
        libc::SO_ERROR as u64,
        (&raw mut error) as u64,
        (&raw mut len) as u64,
        0,
    ];
    // SAFETY: writes the two words.
    let result = unsafe { kernel::syscall(libc::SYS_getsockopt, args) };
    if result < 0 { -result } else { error.into() }
}

pub(super) fn send(call: Send, caller: Caller) -> Answer {
    let flags = call.flags | (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u32;
    let address = if call.address_len == 0 {
        0
    } else {
        caller.staging.address()
    };
    let args = [
        call.fd.raw().into(),
        data(caller.staging),
        call.len as u64,
        flags.into(),
        address,
        call.address_len as u64,
    ];
    retry(call.fd, libc::POLLOUT, call.wait, caller, || {
        // SAFETY: `Send` bounds both lengths to the staging buffer.
        value(unsafe { kernel::syscall(libc::SYS_sendto, args) })
    })
}

pub(super) fn recv(call: Recv, caller: Caller) -> Answer {
    let flags = call.flags | libc::MSG_DONTWAIT as u32;
    retry(call.fd, libc::POLLIN, call.wait, caller, || match call.wanted {
        Wanted::Data => recv_data(call, flags, caller.staging),
        Wanted::Message => recv_message(call, flags, caller.staging),
    })
}

fn recv_data(call: Recv, flags: u32, staging: Staging) -> Answer {
    let fd = call.fd.raw().into();
    let args = [fd, data(staging), call.len as u64, flags.into(), 0, 0];
    // SAFETY: writes to the staging buffer within the bounds of `Recv`.
    value(unsafe { kernel::syscall(libc::SYS_recvfrom, args) })
}

fn recv_message(call: Recv, flags: u32, staging: Staging) -> Answer {
    let mut buffer = libc::iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(data(staging) as usize),
        iov_len: call.len,
    };
    // SAFETY: all zeros is a msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = std::ptr::with_exposed_provenance_mut(staging.address() as usize);
    message.msg_namelen = MAX_SOCKADDR as u32;
    message.msg_iov = &mut buffer;
    message.msg_iovlen = 1;
    let args = [
        call.fd.raw().into(),
        (&raw mut message) as u64,
        flags.into(),
        0,
        0,
        0,
    ];
    // SAFETY: writes to the staging buffer within the bounds of `Recv`, and to the structure.
    let received = unsafe { kernel::syscall(libc::SYS_recvmsg, args) };
    let address_len = message.msg_namelen.min(MAX_SOCKADDR as u32);
    Answer {
        value: received,
        extra: [address_len.into(), message.msg_flags.cast_unsigned().into()],
    }
}

pub(super) fn shutdown(call: Shutdown) -> Answer {
    // SAFETY: no preconditions.
    value(unsafe {
        kernel::syscall(
            libc::SYS_shutdown,
            [call.fd.raw().into(), call.how.into(), 0, 0, 0, 0],
        )
    })
}

pub(super) fn sock_name(call: GetSockName, staging: Staging) -> Answer {
    name(libc::SYS_getsockname, call.fd, staging)
}

pub(super) fn peer_name(call: GetPeerName, staging: Staging) -> Answer {
    name(libc::SYS_getpeername, call.fd, staging)
}

fn name(number: libc::c_long, fd: HostFd, staging: Staging) -> Answer {
    let mut len = MAX_SOCKADDR as u32;
    let args = [fd.raw().into(), staging.address(), (&raw mut len) as u64, 0, 0, 0];
    // SAFETY: writes at most `len` bytes to the staging buffer, and the length.
    match unsafe { kernel::syscall(number, args) } {
        0 => value(len.min(MAX_SOCKADDR as u32).into()),
        error => value(error),
    }
}

pub(super) fn option(call: GetSockOpt, staging: Staging) -> Answer {
    let mut len = call.len as u32;
    let args = [
        call.fd.raw().into(),
        call.level.into(),
        call.name.into(),
        staging.address(),
        (&raw mut len) as u64,
        0,
    ];
    // SAFETY: writes at most `len` bytes to the staging buffer, and the length.
    match unsafe { kernel::syscall(libc::SYS_getsockopt, args) } {
        0 => value(len.into()),
        error => value(error),
    }
}

pub(super) fn set_option(call: SetSockOpt, staging: Staging) -> Answer {
    let args = [
        call.fd.raw().into(),
        call.level.into(),
        call.name.into(),
        staging.address(),
        call.len as u64,
        0,
    ];
    // SAFETY: `SetSockOpt` bounds the length to the staging buffer.
    value(unsafe { kernel::syscall(libc::SYS_setsockopt, args) })
}

pub(super) fn unread(call: Unread) -> Answer {
    let mut count = 0i32;
    let args = [
        call.fd.raw().into(),
        libc::FIONREAD,
        (&raw mut count) as u64,
        0,
        0,
        0,
    ];
    // SAFETY: writes the word.
    match unsafe { kernel::syscall(libc::SYS_ioctl, args) } {
        0 => value(count.into()),
        error => value(error),
    }
}

pub(super) fn close(call: Close) -> Answer {
    // The standard streams are the process's own.
    if call.fd.raw() <= 2 {
        return value(kernel::error(libc::EBADF));
    }
    // SAFETY: a descriptor that the enclave has asked for; the runtime uses none above 2 by number.
    value(unsafe { kernel::syscall(libc::SYS_close, [call.fd.raw().into(), 0, 0, 0, 0, 0]) })
}
