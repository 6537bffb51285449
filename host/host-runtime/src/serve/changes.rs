//! Waiting until a descriptor's state changes, however ready it has been all along.

use host_abi::HostFd;

use super::Caller;
use crate::kernel::{self, Deadline};

/// An epoll instance with one edge-triggered member. Its first wait ends at once if the member is ready.
pub(super) struct Changes {
    epoll: libc::c_int,
}

impl Changes {
    /// Of a descriptor's events (those of poll); an error number as the kernel returns it.
    pub(super) fn of(fd: HostFd, events: i16) -> Result<Self, i64> {
        // SAFETY: no preconditions.
        let epoll = kernel::result(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) });
        if epoll < 0 {
            return Err(epoll);
        }
        let changes = Self {
            epoll: epoll as libc::c_int,
        };
        let mut event = libc::epoll_event {
            events: u32::from(events.cast_unsigned()) | (libc::EPOLLRDHUP | libc::EPOLLET) as u32,
            u64: 0,
        };
        let fd = fd.raw().cast_signed();
        // SAFETY: reads the event.
        let added = unsafe { libc::epoll_ctl(changes.epoll, libc::EPOLL_CTL_ADD, fd, &mut event) };
        match kernel::result(added) {
            0 => Ok(changes),
            error => Err(error),
        }
    }

    /// Waits for a change; EAGAIN after the deadline, EINTR if the thread is woken.
    pub(super) fn wait(&self, deadline: Deadline, caller: Caller) -> Result<(), i64> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let limit = deadline.remaining();
        let limit = kernel::timespec_address(limit.as_ref());
        let args = [self.epoll as u64, (&raw mut event) as u64, 1, limit, 0, 0];
        // SAFETY: room for one event, and a limit that lives until the call is over.
        match unsafe { caller.waker.blocking(libc::SYS_epoll_pwait2, args) } {
            0 => Err(kernel::error(libc::EAGAIN)),
            error if error < 0 => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // SAFETY: its own descriptor.
        unsafe { libc::close(self.epoll) };
    }
}
