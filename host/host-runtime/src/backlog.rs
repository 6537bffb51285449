//! Posted pieces for which the network had no room: they are sent when it has, in their order.
//!
//! To the enclave's programs this is a larger send buffer: once a stream is here, nothing more is posted for it, and what is sent by
//! calls waits until the stream has left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use host_abi::HostFd;

use crate::kernel;

const EAGAIN: i64 = kernel::error(libc::EAGAIN);

/// The streams with unsent bytes.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    streams: Mutex<HashMap<HostFd, Stream>>,
    count: AtomicUsize,
    /// An epoll instance that tells which of them have room.
    epoll: OnceLock<libc::c_int>,
}

#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    /// What is to be done once all is sent.
    then: Then,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Then {
    #[default]
    Nothing,
    Shutdown,
    Close,
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, HashMap<HostFd, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Sends a piece at `address`, or what of it the network takes; the rest stays here. Gives how much was taken, or a negated error
    /// number.
    ///
    /// # Safety
    /// `address` is that of `len` readable bytes.
    pub(crate) unsafe fn send(&self, fd: HostFd, address: u64, len: usize) -> i64 {
        // SAFETY: the caller's promise.
        let piece = || unsafe { bytes(address, len) };
        if !self.is_empty() && !self.flush(fd) {
            self.put(fd, piece());
            return 0;
        }
        // SAFETY: as above.
        let result = unsafe { send(fd, address, len) };
        let taken = match result {
            EAGAIN => 0,
            result => result,
        };
        if let Ok(taken) = usize::try_from(taken)
            && taken < len
        {
            self.put(fd, piece().split_off(taken));
        }
        taken
    }

    fn put(&self, fd: HostFd, bytes: Vec<u8>) {
        let mut streams = self.lock();
        if !streams.contains_key(&fd) {
            self.watch(libc::EPOLL_CTL_ADD, fd);
        }
        streams.entry(fd).or_default().bytes.extend(bytes);
        self.count.store(streams.len(), Ordering::Release);
    }

    /// How many bytes of a stream are here.
    pub(crate) fn len(&self, fd: HostFd) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.lock().get(&fd).map_or(0, |stream| stream.bytes.len())
    }

    /// Sends what is here of a stream; whether nothing is left.
    pub(crate) fn flush(&self, fd: HostFd) -> bool {
        let mut streams = self.lock();
        let is_done = streams.get_mut(&fd).is_none_or(|stream| stream.send_some(fd));
        if is_done {
            self.end(&mut streams, fd);
        }
        is_done
    }

    fn end(&self, streams: &mut HashMap<HostFd, Stream>, fd: HostFd) {
        let Some(stream) = streams.remove(&fd) else {
            return;
        };
        self.count.store(streams.len(), Ordering::Release);
        self.watch(libc::EPOLL_CTL_DEL, fd);
        let fd = fd.raw().cast_signed();
        match stream.then {
            Then::Nothing => {}
            // SAFETY: no preconditions.
            Then::Shutdown => drop(unsafe { libc::shutdown(fd, libc::SHUT_WR) }),
            // SAFETY: the enclave has given it up.
            Then::Close => drop(unsafe { libc::close(fd) }),
        }
    }

    /// Shuts a stream down for sending once all of it is sent; `false` if nothing of it is here.
    pub(crate) fn shut_down_later(&self, fd: HostFd) -> bool {
        self.finish(fd, Then::Shutdown)
    }

    /// Closes a stream once all of it is sent; `false` if nothing of it is here.
    pub(crate) fn close_later(&self, fd: HostFd) -> bool {
        self.finish(fd, Then::Close)
    }

    fn finish(&self, fd: HostFd, then: Then) -> bool {
        if self.is_empty() || self.flush(fd) {
            return false;
        }
        let mut streams = self.lock();
        streams.get_mut(&fd).map(|stream| stream.then = then).is_some()
    }

    /// Forgets what is here of a stream, which is going to be reset.
    pub(crate) fn forget(&self, fd: HostFd) {
        if !self.is_empty() {
            self.end(&mut self.lock(), fd);
        }
    }

    /// Waits until a stream has room, or for so long, and sends what has room.
    pub(crate) fn wait(&self, limit: Duration) {
        if self.is_empty() {
            std::thread::sleep(limit);
            return;
        }
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        let milliseconds = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: room for so many events.
        let count = unsafe {
            libc::epoll_wait(
                self.epoll(),
                events.as_mut_ptr(),
                events.len() as i32,
                milliseconds,
            )
        };
        if count < 0 {
            std::thread::sleep(limit);
        }
        let ready = events.iter().take(usize::try_from(count).unwrap_or(0));
        for fd in ready.filter_map(|event| HostFd::from_raw(event.u64)) {
            self.flush(fd);
        }
    }

    /// Sends all that is here, for so long at most.
    pub(crate) fn drain(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while !self.is_empty() && Instant::now() < end {
            self.wait(Duration::from_millis(10));
        }
    }

    fn epoll(&self) -> libc::c_int {
        // SAFETY: no preconditions. It fails only where there are no descriptors left: then a piece is sent at the stream's next use.
        *self
            .epoll
            .get_or_init(|| unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
    }

    fn watch(&self, operation: libc::c_int, fd: HostFd) {
        let mut event = libc::epoll_event {
            events: libc::EPOLLOUT as u32,
            u64: fd.raw().into(),
        };
        // SAFETY: reads the event.
        unsafe { libc::epoll_ctl(self.epoll(), operation, fd.raw().cast_signed(), &mut event) };
    }
}

impl Stream {
    /// Sends what has room; whether nothing is left. After an error there is nobody to send to: the stream's next use tells of it.
    fn send_some(&mut self, fd: HostFd) -> bool {
        while !self.bytes.is_empty() {
            // SAFETY: bytes of its own.
            match unsafe { send(fd, self.bytes.as_ptr() as u64, self.bytes.len()) } {
                EAGAIN => return false,
                result => drop(
                    self.bytes
                        .drain(..usize::try_from(result).unwrap_or(self.bytes.len())),
                ),
            }
        }
        true
    }
}

/// # Safety
/// `address` is that of `len` readable bytes.
unsafe fn send(fd: HostFd, address: u64, len: usize) -> i64 {
    let flags = (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u64;
    let args = [fd.raw().into(), address, len as u64, flags, 0, 0];
    // SAFETY: the caller's promise.
    unsafe { kernel::syscall(libc::SYS_sendto, args) }
}

/// # Safety
/// `address` is that of `len` readable bytes, which may change at any time.
unsafe fn bytes(address: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let from = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the caller's promise; the copy's destination is fresh.
    unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (here, _) = listener.accept().unwrap();
        here.set_nonblocking(true).unwrap();
        (here, peer)
    }

    fn fd(raw: libc::c_int) -> HostFd {
        HostFd::from_raw(raw.cast_unsigned().into()).unwrap()
    }

    /// Pieces of numbered bytes until the network takes no more, and three beyond; how many bytes that is.
    fn fill(backlog: &Backlog, fd: HostFd) -> usize {
        let (mut total, mut beyond) = (0, 0);
        while beyond < 3 {
            let piece: Vec<u8> = (total..total + 1000).map(|at| (at % 251) as u8).collect();
            // SAFETY: the piece.
            let taken = unsafe { backlog.send(fd, piece.as_ptr() as u64, piece.len()) };
            assert!((0..=1000).contains(&taken));
            total += piece.len();
            beyond += usize::from(taken < 1000);
        }
        total
    }

    #[test]
    fn what_the_network_does_not_take_is_sent_later_in_its_order() {
        let (here, mut peer) = pair();
        let backlog = Backlog::default();
        let here = fd(here.into_raw_fd());
        let total = fill(&backlog, here);
        assert!(!backlog.is_empty() && backlog.len(here) >= 2000);
        assert!(backlog.close_later(here));
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            bytes
        });
        backlog.drain(Duration::from_secs(20));
        assert!(backlog.is_empty());
        let bytes = reader.join().unwrap();
        assert_eq!(bytes.len(), total);
        assert!(
            bytes
                .iter()
                .enumerate()
                .all(|(at, &byte)| byte == (at % 251) as u8)
        );
    }

    #[test]
    fn a_stream_is_shut_down_behind_its_bytes() {
        let (here, mut peer) = pair();
        let backlog = Backlog::default();
        let total = fill(&backlog, fd(here.as_raw_fd()));
        assert!(backlog.shut_down_later(fd(here.as_raw_fd())));
        let reader = std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
        backlog.drain(Duration::from_secs(20));
        assert_eq!(reader.join().unwrap(), total);
        assert!(!backlog.close_later(fd(here.as_raw_fd())), "nothing is left");
    }

    #[test]
    fn nothing_is_kept_for_a_peer_that_is_gone() {
        let (here, peer) = pair();
        let backlog = Backlog::default();
        fill(&backlog, fd(here.as_raw_fd()));
        drop(peer);
        backlog.drain(Duration::from_secs(20));
        assert!(backlog.is_empty());
    }
}
