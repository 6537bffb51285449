//! What has been sent to a socket inside and not received yet: of Unix sockets, and of TCP.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use kobject::{Description, Errno, Mutex, Once, Result, Sink, Source, WaitQueue};
use linux_abi::{MessageFlags, PollEvents};

use super::Received;
use super::message::Identity;
use super::unix::Name;
use crate::ring::Ring;

/// Datagrams that wait at a socket which is not connected to their sender (net.unix.max_dgram_qlen).
const MAX_DATAGRAMS: usize = 10;

/// What a message counts for besides its bytes, so that empty ones are bounded as well.
const MESSAGE_COST: usize = 512;

/// Data on its way to one socket.
pub(in crate::socket) struct Inbox {
    contents: Mutex<Contents>,
    /// Of the socket that receives: told of IN, and when nothing more will come.
    reader: Arc<WaitQueue>,
    /// Of those who send: told of OUT when there is room.
    pub room: Arc<WaitQueue>,
}

#[derive(Default)]
struct Contents {
    /// The data of a stream, and who wrote which part of it.
    stream: Option<Stream>,
    /// Messages of the other types.
    messages: VecDeque<Message>,
    /// Bytes of all messages, with their cost.
    messages_size: usize,
    end: End,
    error: Option<Errno>,
    /// A datagram socket that is connected takes messages only from its peer: where that one receives.
    only_from: Option<usize>,
}

/// Who has ended it.
#[derive(Clone, Copy, Default)]
struct End {
    /// The sending side: what is here is the last.
    sender: bool,
    /// The receiving side: nothing more is taken.
    receiver: bool,
    /// The receiving socket is closed.
    closed: bool,
}

struct Stream {
    bytes: Ring,
    /// Bytes received since the beginning.
    position: u64,
    runs: VecDeque<Run>,
}

/// Bytes that were written by one process, and the open files that came with the first of them.
struct Run {
    /// Where it ends, counted from the beginning.
    end: u64,
    identity: Identity,
    rights: Vec<Arc<Description>>,
}

/// A message.
pub(in crate::socket) struct Message {
    pub bytes: Box<[u8]>,
    pub attached: Attached,
    /// The sender's name.
    pub sender: Arc<Once<Name>>,
}

impl Message {
    /// Takes all of `from`.
    pub fn read(from: &mut dyn Source, attached: Attached, sender: Arc<Once<Name>>) -> Result<Self> {
        let mut bytes = vec![0; from.left()].into_boxed_slice();
        from.take(&mut bytes)?;
        Ok(Self {
            bytes,
            attached,
            sender,
        })
    }

    fn size(&self) -> usize {
        self.bytes.len() + MESSAGE_COST
    }
}

/// What goes along with data.
#[derive(Clone)]
pub(in crate::socket) struct Attached {
    /// Open files.
    pub rights: Vec<Arc<Description>>,
    /// The sender's credentials, for SCM_CREDENTIALS.
    pub identity: Identity,
}

/// How something is received.
#[derive(Clone, Copy)]
pub(in crate::socket) struct Receiving {
    pub flags: MessageFlags,
    /// SO_PASSCRED: senders are told apart.
    pub credentials: bool,
}

impl Receiving {
    fn peeks(self) -> bool {
        self.flags.contains(MessageFlags::MSG_PEEK)
    }
}

/// What can be done with an inbox now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::socket) struct Status {
    /// Something can be received.
    pub has_data: bool,
    /// Nothing more comes.
    pub ended: bool,
    /// Bytes that it holds.
    pub used: usize,
    /// Messages that it holds.
    pub messages: usize,
    /// An error waits to be told.
    pub has_error: bool,
}

impl Inbox {
    /// For a stream.
    pub fn stream(reader: Arc<WaitQueue>, room: Arc<WaitQueue>) -> Arc<Self> {
        let stream = Stream {
            bytes: Ring::new(),
            position: 0,
            runs: VecDeque::new(),
        };
        Self::with(Some(stream), reader, room)
    }

    /// For messages.
    pub fn messages(reader: Arc<WaitQueue>, room: Arc<WaitQueue>) -> Arc<Self> {
        Self::with(None, reader, room)
    }

    fn with(stream: Option<Stream>, reader: Arc<WaitQueue>, room: Arc<WaitQueue>) -> Arc<Self> {
        let contents = Contents {
            stream,
            ..Contents::default()
        };
        Arc::new(Self {
            contents: Mutex::new(contents),
            reader,
            room,
        })
    }

    /// What it is known by.
    pub fn id(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    pub fn status(&self) -> Status {
        let contents = self.contents.lock();
        Status {
            has_data: contents.used() > 0,
            ended: contents.end.sender || contents.end.receiver,
            used: contents.used(),
            messages: contents.messages.len(),
            has_error: contents.error.is_some(),
        }
    }

    /// Bytes that can be received at once: of a stream all, else of the first message.
    pub fn unread(&self) -> usize {
        let contents = self.contents.lock();
        match &contents.stream {
            Some(stream) => stream.bytes.len(),
            None => contents.messages.front().map_or(0, |message| message.bytes.len()),
        }
    }

    /// Appends to a stream what fits into `capacity`, with `attached` at the first byte. EAGAIN if nothing
    /// fits.
    pub fn try_append(
        &self,
        from: &mut dyn Source,
        attached: &mut Attached,
        capacity: usize,
    ) -> Result<usize> {
        let mut contents = self.contents.lock();
        contents.check_open()?;
        let room = capacity.saturating_sub(contents.used());
        let stream = contents.stream.as_mut().ok_or(Errno::EOPNOTSUPP)?;
        let count = from.left().min(room);
        if count == 0 && from.left() > 0 {
            return Err(Errno::EAGAIN);
        }
        stream.bytes.push(from, count)?;
        stream.attach(count, attached);
        drop(contents);
        self.reader.wake(PollEvents::READABLE);
        Ok(count)
    }

    /// Adds a message if there is room by the sender's `capacity`, else EAGAIN. `from` is where the sender
    /// itself receives.
    pub fn try_add(&self, message: &mut Option<Message>, capacity: usize, from: usize) -> Result<usize> {
        let mut contents = self.contents.lock();
        if contents.end.closed {
            return Err(Errno::ECONNREFUSED);
        }
        contents.check_open()?;
        let is_peer = contents.only_from == Some(from);
        if contents.only_from.is_some() && !is_peer {
            return Err(Errno::EPERM);
        }
        let used = contents.messages_size;
        let fits = |message: &Message| used == 0 || used + message.size() <= capacity;
        let crowded = !is_peer && contents.messages.len() > MAX_DATAGRAMS;
        let message = message
            .take_if(|message| !crowded && fits(message))
            .ok_or(Errno::EAGAIN)?;
        let count = message.bytes.len();
        contents.messages_size += message.size();
        contents.messages.push_back(message);
        drop(contents);
        self.reader.wake(PollEvents::READABLE);
        Ok(count)
    }

    /// Receives what is there. EAGAIN while there is nothing and something may still come.
    pub fn try_receive(&self, to: &mut dyn Sink, how: Receiving) -> Result<Received> {
        let mut contents = self.contents.lock();
        // As on Linux, an error comes before messages and behind a stream's data.
        if (contents.used() == 0 || contents.stream.is_none())
            && let Some(error) = contents.error.take()
        {
            return Err(error);
        }
        if contents.used() == 0 {
            let ended = contents.end.sender || contents.end.receiver;
            return if ended {
                Ok(Received::default())
            } else {
                Err(Errno::EAGAIN)
            };
        }
        let received = match &mut contents.stream {
            Some(stream) => stream.receive(to, how)?,
            None => contents.receive_message(to, how)?,
        };
        drop(contents);
        if !how.peeks() {
            self.room.wake(PollEvents::WRITABLE);
        }
        Ok(received)
    }

    /// The sender sends no more; with an error if it leaves without having read what it was sent.
    pub fn end_sending(&self, error: Option<Errno>) {
        let mut contents = self.contents.lock();
        contents.end.sender = true;
        contents.error = error.or(contents.error);
        drop(contents);
        self.wake_both();
    }

    /// The receiver takes no more; what is here can still be received.
    pub fn end_receiving(&self) {
        self.contents.lock().end.receiver = true;
        self.wake_both();
    }

    /// The receiver is closed. Whether something was left unread.
    pub fn close(&self) -> bool {
        let mut contents = self.contents.lock();
        contents.end.receiver = true;
        contents.end.closed = true;
        let unread = contents.used() > 0;
        let stream = contents.stream.as_mut().map(Stream::clear);
        let messages = core::mem::take(&mut contents.messages);
        contents.messages_size = 0;
        drop(contents);
        // Dropped when the lock is free: among the open files on their way may be sockets that send here.
        drop((stream, messages));
        self.wake_both();
        unread
    }

    /// Drops the messages that wait: the connection that they came by is no more.
    pub fn purge(&self) {
        let mut contents = self.contents.lock();
        contents.messages_size = 0;
        let messages = core::mem::take(&mut contents.messages);
        drop(contents);
        drop(messages);
    }

    /// The sender has dropped what it was sent: tells the receiver, if that one hears only the sender, which
    /// receives at `from`.
    pub fn reset(&self, from: usize) {
        let mut contents = self.contents.lock();
        if contents.only_from == Some(from) {
            contents.error = Some(Errno::ECONNRESET);
            drop(contents);
            self.wake_both();
        }
    }

    /// Takes the error that waits to be told.
    pub fn take_error(&self) -> Option<Errno> {
        self.contents.lock().error.take()
    }

    /// From now on takes messages only from the socket that receives at `peer`; from all if there is none.
    pub fn accept_only_from(&self, peer: Option<usize>) {
        self.contents.lock().only_from = peer;
    }

    /// Whether a sender that receives at `from` may send here.
    pub fn accepts_from(&self, from: usize) -> bool {
        self.contents.lock().only_from.is_none_or(|only| only == from)
    }

    /// Whether one more message of a sender that receives at `from` has room.
    pub fn has_room_for(&self, from: usize) -> bool {
        let contents = self.contents.lock();
        contents.only_from == Some(from) || contents.messages.len() <= MAX_DATAGRAMS
    }

    /// Tells the receiver of something that comes beside the data.
    pub fn tell_reader(&self, events: PollEvents) {
        self.reader.wake(events);
    }

    fn wake_both(&self) {
        let events =
            PollEvents::READABLE | PollEvents::WRITABLE | PollEvents::POLLRDHUP | PollEvents::POLLHUP;
        self.reader.wake(events);
        self.room.wake(events);
    }
}

impl Contents {
    /// What is on its way, as it counts against a sender's capacity.
    fn used(&self) -> usize {
        match &self.stream {
            Some(stream) => stream.bytes.len(),
            None => self.messages_size,
        }
    }

    fn check_open(&self) -> Result<()> {
        if self.end.sender || self.end.receiver {
            return Err(Errno::EPIPE);
        }
        Ok(())
    }

    fn receive_message(&mut self, to: &mut dyn Sink, how: Receiving) -> Result<Received> {
        let message = self.messages.front_mut().ok_or(Errno::EAGAIN)?;
        let count = message.bytes.len().min(to.room());
        to.put(message.bytes.get(..count).unwrap_or_default())?;
        let mut received = Received {
            len: count,
            address: message.sender.get().map(|name| Name::address(Some(name))),
            ..Received::default()
        };
        if count < message.bytes.len() {
            received.flags |= MessageFlags::MSG_TRUNC;
            if how.flags.contains(MessageFlags::MSG_TRUNC) {
                received.len = message.bytes.len();
            }
        }
        received.ancillary.credentials = how.credentials.then_some(message.attached.identity);
        if how.peeks() {
            received.ancillary.rights = message.attached.rights.clone();
        } else {
            received.ancillary.rights = core::mem::take(&mut message.attached.rights);
            self.messages_size -= message.size();
            self.messages.pop_front();
        }
        Ok(received)
    }
}

impl Stream {
    /// Notes who wrote the last `count` bytes, and what came with them.
    fn attach(&mut self, count: usize, attached: &mut Attached) {
        if count == 0 {
            // Without a byte to go with, open files do not arrive.
            return;
        }
        let end = self.position + self.bytes.len() as u64;
        let rights = core::mem::take(&mut attached.rights);
        match self.runs.back_mut() {
            Some(last)
                if rights.is_empty() && last.rights.is_empty() && last.identity == attached.identity =>
            {
                last.end = end;
            }
            _ => self.runs.push_back(Run {
                end,
                identity: attached.identity,
                rights,
            }),
        }
    }

    /// Receives from the front. As on Linux one receive goes on until it has the open files of one run, and
    /// with SO_PASSCRED it does not mix writers.
    fn receive(&mut self, to: &mut dyn Sink, how: Receiving) -> Result<Received> {
        let mut received = Received::default();
        let mut writer = None;
        for run in &mut self.runs {
            if how.credentials && writer.is_some_and(|writer| writer != run.identity) {
                break;
            }
            writer = Some(run.identity);
            let start = self.position + received.len as u64;
            let count = to.room().min((run.end - start) as usize);
            match self.bytes.peek(received.len, to, count) {
                Err(_) if received.len > 0 => break,
                copied => copied?,
            }
            received.len += count;
            if !run.rights.is_empty() {
                received.ancillary.rights = match how.peeks() {
                    true => run.rights.clone(),
                    false => core::mem::take(&mut run.rights),
                };
                break;
            }
            // As on Linux, who peeks sees the next open files even behind what has room.
            if to.room() == 0 && !how.peeks() {
                break;
            }
        }
        received.ancillary.credentials = writer.filter(|_| how.credentials);
        if !how.peeks() {
            self.bytes.skip(received.len);
            self.position += received.len as u64;
            while self.runs.front().is_some_and(|run| run.end <= self.position) {
                self.runs.pop_front();
            }
        }
        Ok(received)
    }

    /// Takes everything out.
    fn clear(&mut self) -> VecDeque<Run> {
        self.bytes = Ring::new();
        core::mem::take(&mut self.runs)
    }
}
