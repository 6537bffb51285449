//! Pipes (pipe(7)) and FIFOs (fifo(7)).
//!
//! A [`Pipe`] is the queue, a [`PipeEnd`] what one open file does with it. A named FIFO keeps one pipe for as
//! long as its inode is in use; each `open` makes an end.

mod fifo;
mod packets;

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::{AtomicBool, Ordering};

use kobject::{
    Attributes, Errno, File, FileKind, How, Mutex, Observer, Result, Sink, Source, Stat, Subscription,
    WaitQueue, wait_until,
};
use linux_abi::{Ioctl, OpenFlags, PollEvents};

use crate::anonymous;
use crate::ring::Ring;
use packets::Packets;

pub use fifo::Fifo;

/// Bytes that are written all at once or not at all (PIPE_BUF).
pub const ATOMIC: usize = 4096;

/// Bytes that a new pipe holds.
const CAPACITY: usize = 65536;

/// The largest capacity that a process without privilege may ask for (fs.pipe-max-size).
pub const MAX_CAPACITY: usize = 1 << 20;

/// The queue between writers and readers.
pub struct Pipe {
    state: Mutex<State>,
    /// Told of IN when bytes come or the last writer goes, of OUT when room comes or the last reader goes.
    queue: Arc<WaitQueue>,
    inode: u64,
    attributes: Attributes,
}

struct State {
    bytes: Ring,
    packets: Packets,
    capacity: usize,
    readers: u32,
    writers: u32,
    /// How often an end for reading, and one for writing, was opened; an `open` of a FIFO waits for a change.
    reader_opens: u64,
    writer_opens: u64,
}

impl State {
    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }
}

/// What an end is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Read,
    Write,
    /// Opened with O_RDWR: a FIFO, or a pipe by /proc.
    Both,
}

impl Role {
    /// By the flags of an `open`.
    fn of(flags: OpenFlags) -> Self {
        match (flags.readable(), flags.writable()) {
            (true, true) => Self::Both,
            (true, false) => Self::Read,
            _ => Self::Write,
        }
    }

    fn reads(self) -> bool {
        self != Self::Write
    }

    fn writes(self) -> bool {
        self != Self::Read
    }
}

/// What one open file has of a pipe.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    role: Role,
    /// O_DIRECT: each write is a packet.
    packets: AtomicBool,
    /// The inode of a FIFO.
    inode: Option<Arc<dyn File>>,
    /// `writer_opens` before this end was opened: without a writer since then there is no hang-up.
    writers_before: u64,
}

/// `pipe2`: the end to read from and the end to write to. Flags are the descriptions' business, but for
/// O_DIRECT: see [`PipeEnd::set_packets`].
pub fn pipe() -> (Arc<PipeEnd>, Arc<PipeEnd>) {
    let pipe = Pipe::new();
    let reader = PipeEnd::open(&pipe, Role::Read, None);
    let writer = PipeEnd::open(&pipe, Role::Write, None);
    (Arc::new(reader), Arc::new(writer))
}

impl Pipe {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                bytes: Ring::new(),
                packets: Packets::default(),
                capacity: CAPACITY,
                readers: 0,
                writers: 0,
                reader_opens: 0,
                writer_opens: 0,
            }),
            queue: WaitQueue::new(),
            inode: anonymous::next_inode(),
            attributes: Attributes::default(),
        })
    }

    /// Reads what is there; EAGAIN while there is nothing and someone may still write. As on Linux, writers
    /// are told when a full pipe gets room, not of every read.
    fn try_read(&self, to: &mut dyn Sink) -> Result<usize> {
        let mut state = self.state.lock();
        if state.bytes.is_empty() {
            return if state.writers == 0 {
                Ok(0)
            } else {
                Err(Errno::EAGAIN)
            };
        }
        let was_full = state.room() < ATOMIC;
        let (count, consumed) = state.packets.readable(state.bytes.len(), to.room());
        state.bytes.peek(0, to, count)?;
        state.bytes.skip(consumed);
        state.packets.consume(consumed);
        drop(state);
        if was_full {
            self.queue.wake(PollEvents::WRITABLE);
        }
        Ok(count)
    }

    /// What a read would give, left where it is.
    fn try_peek(&self, to: &mut dyn Sink) -> Result<usize> {
        let state = self.state.lock();
        if state.bytes.is_empty() && state.writers > 0 {
            return Err(Errno::EAGAIN);
        }
        let (count, _) = state.packets.readable(state.bytes.len(), to.room());
        state.bytes.peek(0, to, count)?;
        Ok(count)
    }

    /// Writes what fits; EAGAIN if nothing does, or not enough of what must not be split.
    fn try_write(&self, from: &mut dyn Source, packets: bool) -> Result<usize> {
        let mut state = self.state.lock();
        if state.readers == 0 {
            return Err(Errno::EPIPE);
        }
        let room = state.room();
        if room < from.left().min(ATOMIC) {
            return Err(Errno::EAGAIN);
        }
        let most = if packets { room.min(ATOMIC) } else { room };
        let count = from.left().min(most);
        let before = state.bytes.len();
        state.bytes.push(from, count)?;
        if packets {
            state.packets.append(before, count);
        }
        drop(state);
        self.queue.wake(PollEvents::READABLE);
        Ok(count)
    }
}

impl PipeEnd {
    fn open(pipe: &Arc<Pipe>, role: Role, inode: Option<Arc<dyn File>>) -> Self {
        let mut state = pipe.state.lock();
        let writers_before = state.writer_opens;
        if role.reads() {
            state.readers += 1;
            state.reader_opens += 1;
        }
        if role.writes() {
            state.writers += 1;
            state.writer_opens += 1;
        }
        drop(state);
        Self {
            pipe: pipe.clone(),
            role,
            packets: AtomicBool::new(false),
            inode,
            writers_before,
        }
    }

    /// Turns packet mode on or off: the O_DIRECT of the open file.
    pub fn set_packets(&self, on: bool) {
        self.packets.store(on, Ordering::Relaxed);
    }

    /// F_GETPIPE_SZ: bytes that the pipe holds.
    pub fn capacity(&self) -> usize {
        self.pipe.state.lock().capacity
    }

    /// F_SETPIPE_SZ: gives the new capacity, which is `size` rounded up to a power of two of pages. EBUSY if
    /// the pipe holds more than that, EPERM beyond [`MAX_CAPACITY`] without privilege.
    pub fn set_capacity(&self, size: u64, privileged: bool) -> Result<usize> {
        if size > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let capacity = (size as usize).next_power_of_two().max(ATOMIC);
        let mut state = self.pipe.state.lock();
        if capacity > state.capacity && capacity > MAX_CAPACITY && !privileged {
            return Err(Errno::EPERM);
        }
        if capacity < state.bytes.len() {
            return Err(Errno::EBUSY);
        }
        state.capacity = capacity;
        drop(state);
        self.pipe.queue.wake(PollEvents::WRITABLE);
        Ok(capacity)
    }

    /// Reads as [`File::read`] does, but leaves in the pipe what it gives: for `tee`, and for copies that may
    /// not find room elsewhere.
    pub fn peek(&self, to: &mut dyn Sink, how: How) -> Result<usize> {
        if !self.role.reads() {
            return Err(Errno::EBADF);
        }
        let mut attempt = || self.pipe.try_peek(to);
        if how.nonblocking {
            return attempt();
        }
        wait_until(&self.pipe.queue, PollEvents::READABLE, None, attempt)
    }

    /// Bytes that can be written at once.
    pub fn room(&self) -> usize {
        self.pipe.state.lock().room()
    }

    /// Bytes that can be read at once (FIONREAD).
    pub fn unread(&self) -> usize {
        self.pipe.state.lock().bytes.len()
    }

    /// Whether both are ends of the same pipe (which `splice` and `tee` refuse).
    pub fn is_same_pipe(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pipe, &other.pipe)
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        state.readers -= u32::from(self.role.reads());
        state.writers -= u32::from(self.role.writes());
        if state.readers + state.writers == 0 {
            // A FIFO that nobody has open holds nothing.
            state.bytes = Ring::new();
            state.packets = Packets::default();
            return;
        }
        let (no_reader, no_writer) = (state.readers == 0, state.writers == 0);
        drop(state);
        if no_reader {
            self.pipe.queue.wake(PollEvents::WRITABLE | PollEvents::POLLERR);
        }
        if no_writer {
            self.pipe.queue.wake(PollEvents::READABLE | PollEvents::POLLHUP);
        }
    }
}

impl File for PipeEnd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    /// Another end of the same pipe. As Linux has it, this waits for nobody.
    fn reopen(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        let mut end = Self::open(&self.pipe, Role::of(flags), self.inode.clone());
        // Without a writer there is a hang-up: there had been one.
        end.writers_before = 0;
        end.set_packets(flags.contains(OpenFlags::O_DIRECT));
        self.pipe.queue.wake(PollEvents::READABLE | PollEvents::WRITABLE);
        Ok(Arc::new(end))
    }

    fn stat(&self) -> Result<Stat> {
        match &self.inode {
            Some(inode) => inode.stat(),
            None => {
                let stat = anonymous::stat(FileKind::Fifo, 0o600, self.pipe.inode)?;
                Ok(self.pipe.attributes.apply(stat))
            }
        }
    }

    fn attributes(&self) -> Option<&Attributes> {
        self.inode.is_none().then_some(&self.pipe.attributes)
    }

    fn named(&self) -> Option<&Arc<dyn File>> {
        self.inode.as_ref()
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if !self.role.reads() {
            return Err(Errno::EBADF);
        }
        if to.room() == 0 {
            return Ok(0);
        }
        let mut attempt = || self.pipe.try_read(to);
        if how.nonblocking {
            return attempt();
        }
        wait_until(&self.pipe.queue, PollEvents::READABLE, None, attempt)
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        if !self.role.writes() {
            return Err(Errno::EBADF);
        }
        let packets = self.packets.load(Ordering::Relaxed);
        let mut done = 0;
        while from.left() > 0 {
            let mut attempt = || self.pipe.try_write(from, packets);
            let written = if how.nonblocking {
                attempt()
            } else {
                wait_until(&self.pipe.queue, PollEvents::WRITABLE, None, attempt)
            };
            match written {
                Ok(count) => done += count,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok((done, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let state = self.pipe.state.lock();
        let mut events = PollEvents::empty();
        if self.role.reads() {
            if !state.bytes.is_empty() {
                events |= PollEvents::READABLE;
            }
            if state.writers == 0 && state.writer_opens != self.writers_before {
                events |= PollEvents::POLLHUP;
            }
        }
        if self.role.writes() {
            if state.room() >= ATOMIC {
                events |= PollEvents::WRITABLE;
            }
            if state.readers == 0 {
                events |= PollEvents::POLLERR;
            }
        }
        events & (interest | PollEvents::UNASKED)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        // What concerns the other side is not for this one.
        let mut interest = interest;
        if !self.role.reads() {
            interest -= PollEvents::READABLE;
        }
        if !self.role.writes() {
            interest -= PollEvents::WRITABLE;
        }
        Some(self.pipe.queue.subscribe(interest, observer))
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match request {
            Ioctl::FIONREAD => anonymous::answer_int(argument, self.unread()),
            _ => Err(Errno::ENOTTY),
        }
    }
}

#[cfg(test)]
mod tests;
