//! Host calls that wait, and descriptors that the host lends.

use enclave_rt::untrusted::HostMemory;
use enclave_rt::{call, thread};
use host_abi::{CallError, Close, HostCall, HostFd};
use kobject::{Errno, Result, Wait, away, remaining};

use crate::NOW;

/// A descriptor of the host's, closed when dropped.
pub(crate) struct OwnedHostFd {
    fd: HostFd,
    /// Whether the peer is to see a reset connection.
    pub(crate) reset: bool,
}

impl OwnedHostFd {
    pub(crate) fn new(fd: HostFd) -> Self {
        Self { fd, reset: false }
    }

    pub(crate) fn fd(&self) -> HostFd {
        self.fd
    }
}

impl Drop for OwnedHostFd {
    fn drop(&mut self) {
        let Self { fd, reset } = *self;
        // Whether the host closes it or not is its own affair.
        let _ = call::call(&Close { fd, reset });
    }
}

/// Makes a call that may wait until `deadline`: EAGAIN after it, EINTR when something is pending for the
/// thread.
///
/// A call that ends early for another reason (a token that was meant for an earlier wait, or the host's whim)
/// is made again.
pub(crate) fn call_until<C: HostCall>(
    deadline: Option<u64>,
    request: impl Fn(Wait) -> C,
) -> Result<C::Answer> {
    if deadline == NOW {
        return call_now(&request(Wait::NONE));
    }
    loop {
        if thread::is_pending() {
            // As on Linux, what is there already is taken before a signal counts.
            return match call_now(&request(Wait::NONE)) {
                Err(Errno::EAGAIN) => Err(Errno::EINTR),
                answer => answer,
            };
        }
        let wait = remaining(deadline).map_err(|_| Errno::EAGAIN)?;
        match away(|| call::blocking(&request(wait))) {
            Err(CallError::Errno(Errno::EINTR | Errno::EAGAIN)) => {}
            answer => return Ok(answer?),
        }
    }
}

/// Makes a call that does not wait.
pub(crate) fn call_now<C: HostCall>(request: &C) -> Result<C::Answer> {
    loop {
        match call::call(request) {
            // A token that came too late for an earlier wait.
            Err(CallError::Errno(Errno::EINTR)) => {}
            answer => return Ok(answer?),
        }
    }
}

/// Makes a call that may wait once: `None` if it ended early, or with nothing after its time.
pub(crate) fn call_once<C: HostCall>(request: &C, wait: Wait) -> Result<Option<C::Answer>> {
    let answer = if wait == Wait::NONE {
        call_now(request)
    } else {
        away(|| call::blocking(request)).map_err(Errno::from)
    };
    match answer {
        Err(Errno::EINTR | Errno::EAGAIN) => Ok(None),
        answer => Ok(Some(answer?)),
    }
}

/// Has the host send (or write) the bytes in `staged`: all of them, unless it may not wait or is interrupted.
/// Gives how many it sent, and what stopped it. EIO if the host claims that nothing was sent and nothing wrong: who believed
/// it would ask for ever.
pub(crate) fn send_staged<C: HostCall<Answer = usize>>(
    staged: HostMemory,
    deadline: Option<u64>,
    request: impl Fn(usize, Wait) -> C,
) -> (usize, Result<()>) {
    let mut done = 0;
    loop {
        let left = staged.len() - done;
        match call_until(deadline, |wait| request(left, wait)) {
            Ok(0) if left > 0 => return (done, Err(Errno::EIO)),
            // Less than asked: there is no room for more now.
            Ok(count) if count == left || deadline == NOW => return (done + count, Ok(())),
            Ok(count) => {
                done += count;
                // The rest is sent from the start.
                staged.copy_from(staged.part(count, left - count));
            }
            Err(error) => return (done, Err(error)),
        }
    }
}
