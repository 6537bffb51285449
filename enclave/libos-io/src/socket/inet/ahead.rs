//! What the host has received of a stream before its program asked for it.
//!
//! The host does so for the waits of one thread, which has claimed the stream for its epoll instance ([`Ahead::claim`]). While that
//! thread reads, it does not wait: nothing comes that it would overtake. Before another thread reads, the host is told to stop, and what
//! it had received until then is waited for ([`Ahead::settle`]).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use enclave_rt::call;
use enclave_rt::thread::ThreadNumber;
use enclave_rt::untrusted::HostMemory;
use host_abi::{HostFd, StopAhead};
use kobject::{Errno, Mutex, Result, Sink, WaitQueue, wait_until};
use linux_abi::PollEvents;

/// A stream's part of it.
pub(super) struct Ahead {
    /// The thread that has claimed the stream: its number and 1; 0 for none.
    owner: AtomicU32,
    /// Held by whoever changes the owner.
    changing: Mutex<()>,
    /// How often something has come since the claim.
    delivered: AtomicU64,
    /// How often the host says that it received something, once it has stopped.
    expected: AtomicU64,
    buffer: Mutex<Buffer>,
    /// Whether there is something in the buffer.
    is_unread: AtomicBool,
    /// The [`call::moment`] in which the stream was found to hold no more than came.
    emptied: AtomicU64,
    /// Told when something comes.
    pub(super) queue: Arc<WaitQueue>,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// How many of them have been read.
    start: usize,
    /// Whether the stream was found at its end.
    has_ended: bool,
}

fn me() -> u32 {
    ThreadNumber::current().index() as u32 + 1
}

impl Ahead {
    /// `queue` is told when something comes.
    pub fn new(queue: Arc<WaitQueue>) -> Self {
        Self {
            owner: AtomicU32::new(0),
            changing: Mutex::new(()),
            delivered: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            buffer: Mutex::new(Buffer::default()),
            is_unread: AtomicBool::new(false),
            emptied: AtomicU64::new(0),
            queue,
        }
    }

    /// Makes the calling thread the one whose waits bring data; `false` if there is one already, or something is under way.
    pub fn claim(&self) -> bool {
        let _changing = self.changing.lock();
        let is_free = self.owner.load(Ordering::Acquire) == 0 && self.is_complete();
        if is_free {
            self.delivered.store(0, Ordering::Relaxed);
            self.expected.store(0, Ordering::Relaxed);
            self.owner.store(me(), Ordering::Release);
        }
        is_free
    }

    fn is_complete(&self) -> bool {
        self.delivered.load(Ordering::Acquire) >= self.expected.load(Ordering::Acquire)
    }

    /// The host has been told, otherwise, that it may receive ahead no more. For the thread that has claimed the stream.
    pub fn release(&self) {
        let _changing = self.changing.lock();
        if self.owner.load(Ordering::Acquire) == me() {
            self.owner.store(0, Ordering::Release);
        }
    }

    /// To be called before data is read: sees to it that nothing is under way that came before it. EINTR when a signal is pending.
    pub fn settle(&self, fd: HostFd) -> Result<()> {
        match self.owner.load(Ordering::Acquire) {
            0 if self.is_complete() => Ok(()),
            owner if owner == me() => Ok(()),
            _ => self.stop(fd),
        }
    }

    /// Lets the host receive ahead no more, and waits for what it has received.
    pub fn stop(&self, fd: HostFd) -> Result<()> {
        {
            let _changing = self.changing.lock();
            if self.owner.load(Ordering::Acquire) != 0 {
                let count = call::call(&StopAhead { fd })?;
                self.expected.store(count as u64, Ordering::Release);
                self.owner.store(0, Ordering::Release);
            }
        }
        wait_until(&self.queue, PollEvents::READABLE, None, || {
            if self.is_complete() {
                Ok(())
            } else {
                Err(Errno::EAGAIN)
            }
        })
    }

    /// The host has received something: bytes, or none at the end of the stream. `is_all` if it found no more.
    pub fn deliver(&self, bytes: HostMemory, is_all: bool) {
        {
            let mut buffer = self.buffer.lock();
            if bytes.len() == 0 {
                buffer.has_ended = true;
            }
            let old = buffer.bytes.len();
            buffer.bytes.resize(old + bytes.len(), 0);
            bytes.read(buffer.bytes.get_mut(old..).unwrap_or_default());
            self.is_unread.store(true, Ordering::Release);
        }
        if is_all {
            self.emptied.store(call::moment(), Ordering::Relaxed);
        }
        self.count_delivery();
    }

    /// The host has received something that is no data.
    pub fn count_delivery(&self) {
        self.delivered.fetch_add(1, Ordering::AcqRel);
        self.queue.wake(PollEvents::READABLE);
    }

    /// Whether there is something that was not read.
    pub fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Acquire)
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        if !self.is_unread() {
            return 0;
        }
        let buffer = self.buffer.lock();
        buffer.bytes.len() - buffer.start
    }

    /// Whether to ask the host is in vain: the calling thread has read all that the stream held, and has made no call since. Says so once,
    /// so that who asks again and again is not deceived.
    pub fn was_just_emptied(&self) -> bool {
        let emptied = self.emptied.load(Ordering::Relaxed);
        if emptied != 0 {
            self.emptied.store(0, Ordering::Relaxed);
        }
        emptied == call::moment()
    }

    /// Takes what has come: 0 bytes at the end of the stream, `None` if there is nothing. A program that `peeks` finds it again; one that
    /// `drops` wants its number alone.
    pub fn take(&self, to: &mut dyn Sink, peeks: bool, drops: bool) -> Result<Option<usize>> {
        if !self.is_unread() {
            return Ok(None);
        }
        let mut buffer = self.buffer.lock();
        let unread = buffer.bytes.get(buffer.start..).unwrap_or_default();
        let count = unread.len().min(to.room());
        if !drops {
            to.put(unread.get(..count).unwrap_or_default())?;
        }
        let is_end = unread.is_empty() && buffer.has_ended;
        if !peeks {
            buffer.start += count;
            if buffer.start == buffer.bytes.len() {
                // The end is told once: after it, the host knows more, such as that the connection was reset.
                let has_ended = buffer.has_ended && !is_end;
                *buffer = Buffer {
                    has_ended,
                    ..Buffer::default()
                };
                self.is_unread.store(has_ended, Ordering::Release);
            }
        }
        Ok((count > 0 || is_end).then_some(count))
    }

    /// Forgets what has come: the connection is another.
    pub fn clear(&self) {
        *self.buffer.lock() = Buffer::default();
        self.is_unread.store(false, Ordering::Release);
    }
}
