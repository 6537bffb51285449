//! Host calls about network sockets. All sockets are non-blocking: a call that may wait tries, polls and tries again.

use host_abi::{
    Accept, Answer, Bind, CONTROL_OFFSET, Close, Connect, GetPeerName, GetSockName, GetSockOpt, HostFd,
    Listen, MAX_CONTROL, MAX_SOCKADDR, Posted, Queue, Queued, Recv, Send, SetSockOpt, Shutdown, Socket, Wait,
    Wanted,
};

use super::ahead::Ahead;
use super::changes::Changes;
use super::stream::wait_for;
use super::{Caller, Staging, value};
use crate::backlog::Backlog;
use crate::kernel::{self, Deadline};

const EAGAIN: i64 = kernel::error(libc::EAGAIN);
const NEW: libc::c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// Where data begins in the staging buffer.
fn data(staging: Staging) -> u64 {
    staging.address() + MAX_SOCKADDR as u64
}

/// Where control data begins in the staging buffer.
fn control(staging: Staging) -> u64 {
    staging.address() + CONTROL_OFFSET as u64
}

/// Tries until it is not EAGAIN, waiting for `events` in between. `attempt` is told whether it has been waited for.
///
/// A descriptor may be ready for long, and yet there is nothing to be had: its error queue holds something, or another thread is
/// always faster. From the second time on only changes count, so this never turns for nothing.
fn retry(
    fd: HostFd,
    events: i16,
    deadline: Deadline,
    caller: Caller,
    mut attempt: impl FnMut(bool) -> Answer,
) -> Answer {
    let answer = attempt(false);
    if answer.value != EAGAIN || matches!(deadline, Deadline::Now) {
        return answer;
    }
    if let Err(error) = wait_for(fd, events, deadline, caller) {
        return value(error);
    }
    let answer = attempt(true);
    if answer.value != EAGAIN {
        return answer;
    }
    let changes = match Changes::of(fd, events) {
        Ok(changes) => changes,
        Err(error) => return value(error),
    };
    loop {
        if let Err(error) = changes.wait(deadline, caller) {
            return value(error);
        }
        let answer = attempt(true);
        if answer.value != EAGAIN || deadline.is_over() {
            return answer;
        }
    }
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
    retry(call.fd, libc::POLLIN, Deadline::of(call.wait), caller, |_| {
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
    let connect = || unsafe { kernel::syscall(libc::SYS_connect, args) };
    let result = connect();
    let is_under_way = result == kernel::error(libc::EINPROGRESS) || result == kernel::error(libc::EALREADY);
    if !is_under_way || call.wait == Wait::NONE {
        return value(result);
    }
    match wait_for(call.fd, libc::POLLOUT, Deadline::of(call.wait), caller) {
        // Asked again, it tells how the connection has ended, and only then the socket counts as connected, or as unconnected again.
        Ok(()) => value(connect()),
        // As Linux does after SO_SNDTIMEO.
        Err(EAGAIN) => value(kernel::error(libc::EINPROGRESS)),
        Err(error) => value(error),
    }
}

/// Whether the enclave would rather have posted it.
pub(super) fn is_small(call: &Send) -> bool {
    call.len <= Posted::MAX_LEN && call.flags == 0 && call.address_len == 0 && call.control_len == 0
}

pub(super) fn send(call: Send, caller: Caller, backlog: &Backlog) -> Answer {
    let flags = call.flags | (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u32;
    let deadline = Deadline::of(call.wait);
    if call.control_len != 0 {
        return retry(call.fd, libc::POLLOUT, deadline, caller, |_| {
            send_message(call, flags, caller.staging)
        });
    }
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
    retry(call.fd, libc::POLLOUT, deadline, caller, |_| {
        // What was sent before comes first. If the network does not take it, it tells when it has room.
        if !backlog.is_empty() && !backlog.flush(call.fd) {
            return value(EAGAIN);
        }
        // SAFETY: `Send` bounds both lengths to the staging buffer.
        value(unsafe { kernel::syscall(libc::SYS_sendto, args) })
    })
}

fn send_message(call: Send, flags: u32, staging: Staging) -> Answer {
    let mut buffer = buffer(staging, call.len);
    let mut message = message(&mut buffer);
    if call.address_len != 0 {
        message.msg_name = pointer(staging.address());
        message.msg_namelen = call.address_len as u32;
    }
    message.msg_control = pointer(control(staging));
    message.msg_controllen = call.control_len;
    let args = [
        call.fd.raw().into(),
        (&raw const message) as u64,
        flags.into(),
        0,
        0,
        0,
    ];
    // SAFETY: `Send` bounds the three lengths to the staging buffer.
    value(unsafe { kernel::syscall(libc::SYS_sendmsg, args) })
}

/// Data of this length in the staging buffer.
fn buffer(staging: Staging, len: usize) -> libc::iovec {
    libc::iovec {
        iov_base: pointer(data(staging)),
        iov_len: len,
    }
}

/// A message of one piece.
fn message(buffer: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: all zeros is a msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = buffer;
    message.msg_iovlen = 1;
    message
}

fn pointer(address: u64) -> *mut libc::c_void {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

pub(super) fn recv(call: Recv, caller: Caller) -> Answer {
    let flags = call.flags | libc::MSG_DONTWAIT as u32;
    let attempt = || match call.wanted {
        Wanted::Data => recv_data(call, flags, caller.staging),
        Wanted::Message | Wanted::Control => recv_message(call, flags, caller.staging),
    };
    let deadline = Deadline::of(call.wait);
    if call.least > 1
        && let Err(error) = wait_for_bytes(call, deadline, caller)
        && error != EAGAIN
    {
        return value(error);
    }
    retry(call.fd, libc::POLLIN, deadline, caller, |has_waited| {
        let answer = attempt();
        // Who waits at a datagram socket that is shut down gets the end of it; who does not wait gets EAGAIN.
        if answer.value == EAGAIN && has_waited && is_shut_down(call.fd) {
            return value(0);
        }
        answer
    })
}

/// Waits until as many bytes are there as are asked for, or no more can come. EAGAIN after the deadline, EINTR if the thread is woken.
fn wait_for_bytes(call: Recv, deadline: Deadline, caller: Caller) -> Result<(), i64> {
    let is_there = || queue(call.fd, Queue::Unread) >= call.least as i64 || is_at_end(call.fd);
    if matches!(deadline, Deadline::Now) || is_there() {
        return Ok(());
    }
    let changes = Changes::of(call.fd, libc::POLLIN)?;
    while !is_there() {
        changes.wait(deadline, caller)?;
        if deadline.is_over() {
            break;
        }
    }
    Ok(())
}

/// Whether nothing will be received any more, because receiving has been shut down.
fn is_shut_down(fd: HostFd) -> bool {
    state(fd) & libc::POLLRDHUP != 0
}

/// Whether a stream has ended or failed.
fn is_at_end(fd: HostFd) -> bool {
    state(fd) & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0
}

fn state(fd: HostFd) -> i16 {
    let mut entry = libc::pollfd {
        fd: fd.raw().cast_signed(),
        events: libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: one entry; the call does not wait.
    match unsafe { libc::poll(&mut entry, 1, 0) } {
        1 => entry.revents,
        _ => 0,
    }
}

fn recv_data(call: Recv, flags: u32, staging: Staging) -> Answer {
    let fd = call.fd.raw().into();
    let args = [fd, data(staging), call.len as u64, flags.into(), 0, 0];
    // SAFETY: writes to the staging buffer within the bounds of `Recv`.
    value(unsafe { kernel::syscall(libc::SYS_recvfrom, args) })
}

fn recv_message(call: Recv, flags: u32, staging: Staging) -> Answer {
    let mut buffer = buffer(staging, call.len);
    let mut message = message(&mut buffer);
    message.msg_name = pointer(staging.address());
    message.msg_namelen = MAX_SOCKADDR as u32;
    if call.wanted == Wanted::Control {
        message.msg_control = pointer(control(staging));
        message.msg_controllen = MAX_CONTROL;
    }
    let args = [
        call.fd.raw().into(),
        (&raw mut message) as u64,
        flags.into(),
        0,
        0,
        0,
    ];
    // SAFETY: writes to the staging buffer within the bounds of `Recv` and of control data, and to the structure.
    let received = unsafe { kernel::syscall(libc::SYS_recvmsg, args) };
    let address_len = message.msg_namelen.min(MAX_SOCKADDR as u32);
    let control_len = message.msg_controllen.min(MAX_CONTROL) as u64;
    Answer {
        value: received,
        extra: [
            address_len.into(),
            control_len << 32 | u64::from(message.msg_flags.cast_unsigned()),
        ],
    }
}

pub(super) fn shutdown(call: Shutdown, backlog: &Backlog) -> Answer {
    let how = libc::c_int::from(call.how);
    if how != libc::SHUT_RD && backlog.shut_down_later(call.fd) {
        if how == libc::SHUT_RDWR {
            // SAFETY: no preconditions.
            unsafe { libc::shutdown(call.fd.raw().cast_signed(), libc::SHUT_RD) };
        }
        return value(0);
    }
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

pub(super) fn queued(call: Queued, backlog: &Backlog) -> Answer {
    let here = match call.queue {
        Queue::Unsent => backlog.len(call.fd) as i64,
        Queue::Unread | Queue::AtMark => 0,
    };
    match queue(call.fd, call.queue) {
        error if error < 0 => value(error),
        count => value(count + here),
    }
}

/// What is in a queue, or a negated error number.
fn queue(fd: HostFd, queue: Queue) -> i64 {
    let request = match queue {
        Queue::Unread => libc::FIONREAD,
        // For sockets this is SIOCOUTQ.
        Queue::Unsent => libc::TIOCOUTQ,
        Queue::AtMark => SIOCATMARK,
    };
    let mut count = 0i32;
    let args = [fd.raw().into(), request, (&raw mut count) as u64, 0, 0, 0];
    // SAFETY: writes the word.
    match unsafe { kernel::syscall(libc::SYS_ioctl, args) } {
        0 => count.into(),
        error => error,
    }
}

/// As `linux/sockios.h` has it, which `libc` does not.
const SIOCATMARK: libc::Ioctl = 0x8905;

/// Closing the socket will reset the connection (tcp(7), SO_LINGER in socket(7)).
fn reset(fd: HostFd) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let args = [
        fd.raw().into(),
        libc::SOL_SOCKET as u64,
        libc::SO_LINGER as u64,
        (&raw const linger) as u64,
        size_of::<libc::linger>() as u64,
        0,
    ];
    // SAFETY: reads the structure.
    unsafe { kernel::syscall(libc::SYS_setsockopt, args) };
}

pub(super) fn close(call: Close, ahead: &Ahead, backlog: &Backlog) -> Answer {
    // The standard streams are the process's own.
    if call.fd.raw() <= 2 {
        return value(kernel::error(libc::EBADF));
    }
    ahead.close(call.fd);
    if call.reset {
        backlog.forget(call.fd);
        reset(call.fd);
    } else if backlog.close_later(call.fd) {
        return value(0);
    }
    // SAFETY: a descriptor that the enclave has asked for; the runtime uses none above 2 by number.
    value(unsafe { kernel::syscall(libc::SYS_close, [call.fd.raw().into(), 0, 0, 0, 0, 0]) })
}
