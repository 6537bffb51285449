//! TCP inside the enclave: who listens, who connects, and what a connected socket does.
//!
//! Locks: a listening socket's backlog; under it, the state of one that connects to it.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use kobject::{Errno, Mutex, Result, SpinLock};
use linux_abi::{PollEvents, SocketOption};

use super::connection::{self, Connection, Leave, Start};
use super::ports::{Claim, Lease, Role, of};
use super::{IpSocket, Place, Transport};

/// Connections that may wait at most, whatever `listen` asks for (net.core.somaxconn).
const MAX_BACKLOG: u32 = 4096;

/// How often those inside come first.
const INSIDE_FIRST: u32 = 16;

/// What of a connection's bytes may be on their way, if the program does not say: each end's part.
const BUFFER: usize = 256 << 10;

/// The least that a program gets (SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF).
pub(super) const SEND_BUFFER_MIN: usize = 4608;
pub(super) const RECEIVE_BUFFER_MIN: usize = 2304;
/// And the most (net.core.wmem_max, twice).
pub(super) const BUFFER_MAX: usize = 2 * 212_992;

/// A socket's part of it.
pub(super) struct Stream {
    backlog: Mutex<Option<Backlog>>,
    progress: Mutex<Progress>,
    connection: SpinLock<Option<Arc<Connection>>>,
    send_buffer: AtomicUsize,
    receive_buffer: AtomicUsize,
    /// SO_RCVLOWAT
    least: AtomicU32,
    /// How often a connection was looked for.
    looks: AtomicU32,
    /// It was disconnected by its own program, and has not said so.
    was_left: AtomicBool,
}

/// What a listening socket keeps.
struct Backlog {
    /// Connections to accept.
    ready: VecDeque<Arc<IpSocket>>,
    /// Sockets that connect and have no room there.
    waiting: VecDeque<Client>,
    most: usize,
}

/// Who connects.
struct Client {
    socket: Weak<IpSocket>,
    lease: Arc<Lease>,
    local: SocketAddr,
    /// The address that it connects to.
    to: SocketAddr,
}

/// How far a `connect` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nobody has called it.
    Idle,
    /// There is no room at the other side yet, or its program has not been told that it is done.
    UnderWay,
    /// It is done, and its program knows.
    Done,
    /// It has failed, and its program has not been told (SO_ERROR).
    Failed(Errno),
    /// It has failed, and its program knows.
    Over,
}

impl Stream {
    pub fn new() -> Self {
        Self {
            backlog: Mutex::new(None),
            progress: Mutex::new(Progress::Idle),
            connection: SpinLock::new(None),
            send_buffer: AtomicUsize::new(BUFFER),
            receive_buffer: AtomicUsize::new(BUFFER),
            least: AtomicU32::new(1),
            looks: AtomicU32::new(0),
            was_left: AtomicBool::new(false),
        }
    }

    /// What an accepted socket has from its listener.
    fn inherit(&self, listener: &Self) {
        let copy =
            |to: &AtomicUsize, from: &AtomicUsize| to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        copy(&self.send_buffer, &listener.send_buffer);
        copy(&self.receive_buffer, &listener.receive_buffer);
        self.set_least(listener.least());
    }

    pub fn connection(&self) -> Option<Arc<Connection>> {
        self.connection.lock().clone()
    }

    pub fn is_listening(&self) -> bool {
        self.backlog.lock().is_some()
    }

    pub fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    pub fn set_progress(&self, progress: Progress) {
        *self.progress.lock() = progress;
    }

    /// A `connect` begins, if none has.
    pub fn begin(&self) -> bool {
        let mut progress = self.progress.lock();
        let begins = *progress == Progress::Idle;
        if begins {
            *progress = Progress::UnderWay;
        }
        begins
    }

    /// An error that waits to be told (SO_ERROR).
    pub fn take_error(&self) -> Option<Errno> {
        if let Some(connection) = self.connection() {
            return connection.take_error();
        }
        if self.was_left.swap(false, Ordering::Relaxed) {
            return Some(Errno::ECONNRESET);
        }
        let mut progress = self.progress.lock();
        match *progress {
            Progress::Failed(error) => {
                *progress = Progress::Over;
                Some(error)
            }
            _ => None,
        }
    }

    pub fn send_buffer(&self) -> usize {
        self.send_buffer.load(Ordering::Relaxed)
    }

    pub fn least(&self) -> usize {
        self.least.load(Ordering::Relaxed) as usize
    }

    /// SO_RCVLOWAT.
    pub fn set_least(&self, least: usize) {
        self.least.store(least as u32, Ordering::Relaxed);
    }

    /// SO_SNDBUF and SO_RCVBUF, in bytes that may be on their way.
    pub fn set_buffers(&self, send: Option<usize>, receive: Option<usize>) {
        if let Some(send) = send {
            self.send_buffer.store(send, Ordering::Relaxed);
        }
        if let Some(receive) = receive {
            self.receive_buffer.store(receive, Ordering::Relaxed);
            if let Some(connection) = self.connection() {
                connection.set_receive_buffer(receive);
            }
        }
    }

    /// `listen`, or a change of the number that may wait.
    pub fn listen(&self, backlog: u32) {
        let most = backlog.min(MAX_BACKLOG) as usize;
        let mut state = self.backlog.lock();
        match &mut *state {
            Some(state) => state.most = most,
            None => {
                *state = Some(Backlog {
                    ready: VecDeque::new(),
                    waiting: VecDeque::new(),
                    most,
                });
            }
        }
    }

    /// Whether the host is to be asked for a connection before those inside are looked at, so that these do not keep it waiting for ever.
    pub fn is_hosts_turn(&self) -> bool {
        self.looks.fetch_add(1, Ordering::Relaxed) % INSIDE_FIRST == INSIDE_FIRST - 1
    }

    /// Takes a connection that waits at `listener`, whose part this is; EAGAIN if there is none, EINVAL if it does not listen.
    pub fn take(&self, listener: &IpSocket) -> Result<Arc<IpSocket>> {
        let mut backlog = self.backlog.lock();
        let backlog = backlog.as_mut().ok_or(Errno::EINVAL)?;
        let accepted = backlog.ready.pop_front().ok_or(Errno::EAGAIN)?;
        backlog.admit(listener);
        Ok(accepted)
    }

    /// A socket connects to this one, which `listener` is. Whether it listens.
    pub fn enqueue(
        &self,
        listener: &IpSocket,
        client: &Arc<IpSocket>,
        lease: Arc<Lease>,
        local: SocketAddr,
        to: SocketAddr,
    ) -> bool {
        {
            let mut backlog = self.backlog.lock();
            let Some(backlog) = backlog.as_mut() else {
                return false;
            };
            backlog.waiting.push_back(Client {
                socket: Arc::downgrade(client),
                lease,
                local,
                to,
            });
            backlog.admit(listener);
        }
        listener.queue.wake(PollEvents::READABLE);
        true
    }

    /// Listens no more: who has connected is reset, who waits to is refused.
    pub fn stop_listening(&self) {
        // Taken out first: sockets are closed without the lock.
        let Some(backlog) = self.backlog.lock().take() else {
            return;
        };
        for client in backlog.waiting {
            if let Some(client) = client.socket.upgrade() {
                client.refuse(Errno::ECONNREFUSED);
            }
        }
        for accepted in backlog.ready {
            accepted.leave(Leave::Abruptly);
        }
    }

    /// Leaves the connection, if there is one.
    pub fn leave(&self, how: Leave) {
        if let Some(connection) = self.connection() {
            connection.close(how);
        }
    }

    /// Forgets the connection, and that there was one.
    pub fn forget(&self) {
        let connection = self.connection.lock().take();
        // As on Linux, it is an error for both ends (`tcp_disconnect`).
        let was_connected = connection
            .as_ref()
            .is_some_and(|connection| !connection.is_over());
        if let Some(connection) = connection {
            connection.close(Leave::Abruptly);
        }
        self.was_left.store(was_connected, Ordering::Relaxed);
        self.set_progress(Progress::Idle);
    }

    /// What polling says of a socket that does not listen.
    pub fn poll(&self) -> PollEvents {
        if let Some(connection) = self.connection() {
            return connection.poll(self.least(), self.send_buffer());
        }
        let gone = PollEvents::WRITABLE | PollEvents::POLLHUP;
        match self.progress() {
            Progress::UnderWay => PollEvents::empty(),
            Progress::Failed(_) => gone | PollEvents::READABLE | PollEvents::POLLRDHUP | PollEvents::POLLERR,
            Progress::Over => gone | PollEvents::READABLE | PollEvents::POLLRDHUP,
            Progress::Idle | Progress::Done => gone,
        }
    }

    /// Whether there is something to accept.
    pub fn has_waiting(&self) -> bool {
        let backlog = self.backlog.lock();
        backlog.as_ref().is_some_and(|backlog| !backlog.ready.is_empty())
    }
}

impl Backlog {
    /// Connects those who wait, as far as there is room: one more than asked for, as on Linux.
    fn admit(&mut self, listener: &IpSocket) {
        while self.ready.len() <= self.most {
            let Some(client) = self.waiting.pop_front() else {
                return;
            };
            // It may be closed by now.
            if let Some(socket) = client.socket.upgrade().filter(|socket| !socket.is_closed())
                && let Some(accepted) = client.connect(&socket, listener)
            {
                self.ready.push_back(accepted);
                socket.queue.wake(PollEvents::WRITABLE);
            }
        }
    }
}

impl Client {
    /// Makes the connection; gives the listener's end.
    fn connect(self, socket: &IpSocket, listener: &IpSocket) -> Option<Arc<IpSocket>> {
        let accepted = listener.accepted(None);
        accepted.set_place(Place::Inside);
        let (client, server) = (socket.stream()?, accepted.stream()?);
        server.inherit(listener.stream()?);
        let claim = Claim {
            address: self.to.ip(),
            role: Role::Connected,
            ..listener.claim(self.to.ip())
        };
        let lease = of(Transport::Tcp).share(self.to.port(), claim, &Arc::downgrade(&accepted));
        let start = |socket: &IpSocket, stream: &Stream, lease, address| Start {
            queue: socket.queue.clone(),
            lease,
            address,
            receive_buffer: stream.receive_buffer.load(Ordering::Relaxed),
            takes_urgent_in_line: socket.options.has(SocketOption::SO_OOBINLINE),
        };
        let (one, other) = connection::connect(
            start(socket, client, self.lease, self.local),
            start(&accepted, server, lease, self.to),
        );
        *client.connection.lock() = Some(one);
        *server.connection.lock() = Some(other);
        server.set_progress(Progress::Done);
        Some(accepted)
    }
}
