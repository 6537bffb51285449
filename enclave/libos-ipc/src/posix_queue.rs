//! POSIX message queues (mq_overview(7), ipc/mqueue.c).
//!
//! A queue has a name, until it is unlinked, and open files. Its messages are ordered by priority, then by age. A message that somebody
//! waits for never stands in the queue: the sender finishes the receiver's call; and a receiver who makes room finishes a sender's.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use kobject::credentials::AccessMode;
use kobject::{
    Credentials, Errno, File, FileKind, How, Mutex, Observer, Result, Sink, Stat, Subscription, Timestamp,
    WaitQueue,
};
use linux_abi::ipc::{
    DFLT_MSGMAX, DFLT_MSGSIZEMAX, DFLT_QUEUESMAX, HARD_MSGMAX, HARD_MSGSIZEMAX, MQ_PRIO_MAX,
};
use linux_abi::stat::makedev;
use linux_abi::{Capabilities, PollEvents, Signal};

use crate::sleeper::{Sleep, Sleeper};

/// What Linux counts for a message and for a priority, beside the bytes (`struct msg_msg`, `struct posix_msg_tree_node`).
const PER_MESSAGE: u64 = 48;
const PER_PRIORITY: u64 = 48;
/// What `fstat` says of every queue (FILENT_SIZE).
const FILE_LEN: u64 = 80;
/// The device of the file system that Linux has for queues; no mount has it.
const DEVICE: u64 = makedev(0, 16);

/// How large a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Most messages.
    pub messages: i64,
    /// Bytes of the longest message.
    pub message_len: i64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            messages: DFLT_MSGMAX,
            message_len: DFLT_MSGSIZEMAX,
        }
    }
}

impl Shape {
    /// Checks what a program asks for: EINVAL.
    fn check(self, credentials: &Credentials) -> Result<Self> {
        let (most, longest) = match credentials.has(Capabilities::CAP_SYS_RESOURCE) {
            true => (HARD_MSGMAX, HARD_MSGSIZEMAX),
            false => (DFLT_MSGMAX, DFLT_MSGSIZEMAX),
        };
        let is_possible = (1..=most).contains(&self.messages) && (1..=longest).contains(&self.message_len);
        is_possible.then_some(self).ok_or(Errno::EINVAL)
    }

    /// What it counts for RLIMIT_MSGQUEUE, bytes.
    fn cost(self) -> u64 {
        let (messages, len) = (self.messages as u64, self.message_len as u64);
        messages * (len + PER_MESSAGE) + messages.min(MQ_PRIO_MAX.into()) * PER_PRIORITY
    }
}

/// Who makes or opens a queue.
#[derive(Clone, Copy, Debug)]
pub struct Opener<'a> {
    /// Its users, groups and capabilities.
    pub credentials: &'a Credentials,
    /// Permission bits that new queues do not get.
    pub umask: u32,
    /// RLIMIT_MSGQUEUE.
    pub limit: u64,
    /// The time.
    pub now: Timestamp,
}

/// Bytes that queues count for, by the user who made them.
type Accounts = Arc<Mutex<BTreeMap<u32, u64>>>;

/// The queues that have names.
#[derive(Default)]
pub struct Names {
    queues: Mutex<BTreeMap<Vec<u8>, Arc<Queue>>>,
    accounts: Accounts,
}

/// What `mq_open` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// The queue must be there.
    Never,
    /// It is made if it is not there, with these permission bits and this shape (the default one for `None`).
    IfMissing(u32, Option<Shape>),
    /// It must not be there.
    Always(u32, Option<Shape>),
}

impl Names {
    /// `mq_open`.
    ///
    /// # Errors
    /// As mq_open(3), in Linux's order.
    pub fn open(
        &self,
        opener: Opener<'_>,
        name: &[u8],
        making: Making,
        access: AccessMode,
    ) -> Result<Arc<Queue>> {
        check_name(name)?;
        let mut queues = self.queues.lock();
        let (known, credentials) = (queues.get(name), opener.credentials);
        let (permissions, shape) = match (known, making) {
            (Some(_), Making::Always(..)) => return Err(Errno::EEXIST),
            (Some(queue), _) => {
                credentials.permits(FileKind::Regular, queue.permissions, queue.owner, access)?;
                return Ok(queue.clone());
            }
            (None, Making::Never) => return Err(Errno::ENOENT),
            (None, Making::IfMissing(permissions, shape) | Making::Always(permissions, shape)) => {
                (permissions, shape)
            }
        };
        if queues.len() >= DFLT_QUEUESMAX && !credentials.has(Capabilities::CAP_SYS_RESOURCE) {
            return Err(Errno::ENOSPC);
        }
        let shape = shape.map_or(Ok(Shape::default()), |shape| shape.check(credentials))?;
        let user = credentials.uid[0];
        {
            let mut accounts = self.accounts.lock();
            let used = accounts.entry(user).or_default();
            let sum = used.saturating_add(shape.cost());
            if sum > opener.limit {
                return Err(Errno::EMFILE);
            }
            *used = sum;
        }
        let permissions = permissions & 0o7777 & !opener.umask;
        let queue = Arc::new(Queue::new(
            (permissions, (credentials.fsuid(), credentials.fsgid())),
            (shape, user, self.accounts.clone()),
            opener.now,
        ));
        queues.insert(name.to_vec(), queue.clone());
        Ok(queue)
    }

    /// `mq_unlink`: open files keep the queue.
    pub fn unlink(&self, credentials: &Credentials, name: &[u8]) -> Result<()> {
        check_name(name)?;
        let removed = {
            let mut queues = self.queues.lock();
            let queue = queues.get(name).ok_or(Errno::ENOENT)?;
            // The directory is sticky.
            if queue.owner.0 != credentials.fsuid() {
                credentials.require(Capabilities::CAP_FOWNER)?;
            }
            queues.remove(name)
        };
        drop(removed);
        Ok(())
    }
}

/// A name is one component of a path.
fn check_name(name: &[u8]) -> Result<()> {
    match name {
        b"" => Err(Errno::ENOENT),
        b"." | b".." => Err(Errno::EACCES),
        _ if name.len() > 255 => Err(Errno::ENAMETOOLONG),
        _ if name.contains(&b'/') => Err(Errno::EACCES),
        _ => Ok(()),
    }
}

/// Whom a message is announced to, once (`mq_notify`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The process.
    pub pid: u32,
    /// What it is sent; `None` for nothing.
    pub signal: Option<Signal>,
    /// The value that comes with it.
    pub value: u64,
}

struct Sender {
    priority: u32,
    text: Vec<u8>,
    sleeper: Arc<Sleeper<()>>,
}

/// A message: priority and bytes.
type Message = (u32, Vec<u8>);

#[derive(Default)]
struct State {
    /// By priority, none of them empty.
    messages: BTreeMap<u32, VecDeque<Vec<u8>>>,
    count: i64,
    bytes: u64,
    receivers: VecDeque<Arc<Sleeper<Message>>>,
    senders: Vec<Sender>,
    notice: Option<Notice>,
}

impl State {
    fn push(&mut self, priority: u32, text: Vec<u8>) {
        self.count += 1;
        self.bytes += text.len() as u64;
        self.messages.entry(priority).or_default().push_back(text);
    }

    fn pop(&mut self) -> Option<Message> {
        let mut highest = self.messages.last_entry()?;
        let priority = *highest.key();
        let text = highest.get_mut().pop_front();
        if highest.get().is_empty() {
            highest.remove();
        }
        let text = text?;
        self.count -= 1;
        self.bytes -= text.len() as u64;
        Some((priority, text))
    }
}

/// A queue.
pub struct Queue {
    permissions: u32,
    owner: (u32, u32),
    shape: Shape,
    /// Who it counts for.
    account: (u32, Accounts),
    inode: u64,
    made: Timestamp,
    state: Mutex<State>,
    changes: Arc<WaitQueue>,
}

impl Queue {
    fn new(
        (permissions, owner): (u32, (u32, u32)),
        (shape, user, accounts): (Shape, u32, Accounts),
        made: Timestamp,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(2);
        Self {
            permissions,
            owner,
            shape,
            account: (user, accounts),
            inode: NEXT.fetch_add(1, Ordering::Relaxed),
            made,
            state: Mutex::new(State::default()),
            changes: WaitQueue::new(),
        }
    }

    /// Its size.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many messages it has.
    pub fn len(&self) -> i64 {
        self.state.lock().count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `mq_timedsend`: gives who is to be told of the message. `text` is at most as long as [`Shape::message_len`]; `sleep` is `None`
    /// for O_NONBLOCK.
    pub fn send(&self, priority: u32, text: Vec<u8>, sleep: Option<Sleep<'_>>) -> Result<Option<Notice>> {
        let sleeper = {
            let mut state = self.state.lock();
            if state.count < self.shape.messages {
                if let Some(receiver) = state.receivers.pop_front() {
                    receiver.finish(Ok((priority, text)));
                    drop(state);
                    receiver.wake();
                    return Ok(None);
                }
                state.push(priority, text);
                let notice = match state.count {
                    1 => state.notice.take(),
                    _ => None,
                };
                drop(state);
                self.changes.wake(PollEvents::READABLE);
                return Ok(notice);
            }
            if sleep.is_none() {
                return Err(Errno::EAGAIN);
            }
            let sleeper = Sleeper::new();
            state.senders.push(Sender {
                priority,
                text,
                sleeper: sleeper.clone(),
            });
            sleeper
        };
        let Some(sleep) = sleep else {
            return Err(Errno::EAGAIN);
        };
        match sleeper.wait(sleep) {
            Ok(outcome) => outcome.map(|()| None),
            Err(error) => {
                let mut state = self.state.lock();
                if let Some(outcome) = sleeper.take() {
                    return outcome.map(|()| None);
                }
                state
                    .senders
                    .retain(|sender| !Arc::ptr_eq(&sender.sleeper, &sleeper));
                Err(error)
            }
        }
    }

    /// `mq_timedreceive`: priority and bytes. `sleep` is `None` for O_NONBLOCK.
    pub fn receive(&self, sleep: Option<Sleep<'_>>) -> Result<(u32, Vec<u8>)> {
        let sleeper = {
            let mut state = self.state.lock();
            if let Some(message) = state.pop() {
                let sender = (!state.senders.is_empty()).then(|| state.senders.remove(0));
                let woken = sender.map(|sender| {
                    state.push(sender.priority, sender.text);
                    sender.sleeper.finish(Ok(()));
                    sender.sleeper
                });
                drop(state);
                match woken {
                    Some(sleeper) => sleeper.wake(),
                    None => drop(self.changes.wake(PollEvents::WRITABLE)),
                }
                return Ok(message);
            }
            if sleep.is_none() {
                return Err(Errno::EAGAIN);
            }
            let sleeper = Sleeper::new();
            state.receivers.push_back(sleeper.clone());
            sleeper
        };
        let Some(sleep) = sleep else {
            return Err(Errno::EAGAIN);
        };
        match sleeper.wait(sleep) {
            Ok(outcome) => outcome,
            Err(error) => {
                let mut state = self.state.lock();
                if let Some(outcome) = sleeper.take() {
                    return outcome;
                }
                state.receivers.retain(|other| !Arc::ptr_eq(other, &sleeper));
                Err(error)
            }
        }
    }

    /// `mq_notify`. EBUSY if another one is to be told.
    pub fn announce_to(&self, notice: Notice) -> Result<()> {
        let mut state = self.state.lock();
        if state.notice.is_some() {
            return Err(Errno::EBUSY);
        }
        state.notice = Some(notice);
        Ok(())
    }

    /// `mq_notify` with nothing, or the end of a descriptor: this process is not to be told any more.
    pub fn announce_no_more_to(&self, pid: u32) {
        let mut state = self.state.lock();
        if state.notice.is_some_and(|notice| notice.pid == pid) {
            state.notice = None;
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let (user, accounts) = &self.account;
        let mut accounts = accounts.lock();
        let left = accounts
            .get(user)
            .map_or(0, |used| used.saturating_sub(self.shape.cost()));
        match left {
            0 => accounts.remove(user),
            left => accounts.insert(*user, left),
        };
    }
}

impl File for Queue {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        let mut stat = Stat::new(FileKind::Regular, self.permissions, self.inode);
        (stat.uid, stat.gid) = self.owner;
        stat.device = DEVICE;
        stat.size = FILE_LEN;
        (stat.accessed, stat.modified, stat.changed) = (self.made, self.made, self.made);
        Ok(stat)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    /// A line about the queue, as Linux writes it.
    fn read(&self, offset: u64, to: &mut dyn Sink, _: How) -> Result<usize> {
        let (bytes, notice) = {
            let state = self.state.lock();
            (state.bytes, state.notice)
        };
        let (kind, signal) = match notice.map(|notice| notice.signal) {
            Some(Some(signal)) => (0, signal.raw()),
            Some(None) => (1, 0),
            None => (0, 0),
        };
        let pid = notice.map_or(0, |notice| notice.pid);
        let line = format!("QSIZE:{bytes:<10} NOTIFY:{kind:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n");
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| line.as_bytes().get(offset..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(to.room());
        to.put(rest.get(..count).unwrap_or_default())?;
        Ok(count)
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let count = self.len();
        let mut events = PollEvents::empty();
        if count > 0 {
            events |= PollEvents::READABLE;
        }
        if count < self.shape.messages {
            events |= PollEvents::WRITABLE;
        }
        events & interest
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.changes.subscribe(interest, observer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(names: &Names, name: &[u8], making: Making, limit: u64) -> Result<Arc<Queue>> {
        let opener = Opener {
            credentials: &Credentials::new(10, 10, Vec::new()),
            umask: 0o22,
            limit,
            now: Timestamp::default(),
        };
        names.open(opener, name, making, AccessMode::READ_WRITE)
    }

    fn shape(messages: i64, message_len: i64) -> Making {
        let shape = Shape {
            messages,
            message_len,
        };
        Making::Always(0o666, Some(shape))
    }

    #[test]
    fn the_highest_priority_goes_first() {
        let names = Names::default();
        let queue = open(&names, b"q", shape(3, 10), 1 << 20).unwrap();
        let notice = Notice {
            pid: 4,
            signal: None,
            value: 1,
        };
        queue.announce_to(notice).unwrap();
        assert_eq!(queue.announce_to(notice), Err(Errno::EBUSY));
        assert_eq!(queue.send(1, b"a".to_vec(), None), Ok(Some(notice)));
        assert_eq!(queue.send(2, b"b".to_vec(), None), Ok(None));
        assert_eq!(queue.send(1, b"c".to_vec(), None), Ok(None));
        assert_eq!(queue.send(1, b"d".to_vec(), None), Err(Errno::EAGAIN));
        let received = || queue.receive(None);
        assert_eq!(received(), Ok((2, b"b".to_vec())));
        assert_eq!(received(), Ok((1, b"a".to_vec())));
        assert_eq!(received(), Ok((1, b"c".to_vec())));
        assert_eq!(received(), Err(Errno::EAGAIN));
    }

    #[test]
    fn a_user_has_so_much_for_queues() {
        let names = Names::default();
        let (one, limit) = (shape(10, 100), 10 * (100 + 96) + 5);
        let made = open(&names, b"a", one, limit).unwrap();
        assert_eq!(open(&names, b"a", one, limit).err(), Some(Errno::EEXIST));
        assert_eq!(open(&names, b"b", one, limit).err(), Some(Errno::EMFILE));
        assert_eq!(made.stat().unwrap().permissions, 0o644);
        let me = Credentials::new(10, 10, Vec::new());
        names.unlink(&me, b"a").unwrap();
        assert_eq!(open(&names, b"b", one, limit).err(), Some(Errno::EMFILE));
        drop(made);
        assert!(open(&names, b"b", one, limit).is_ok());
        assert_eq!(names.unlink(&me, b"a"), Err(Errno::ENOENT));
        assert_eq!(open(&names, b"c", shape(11, 1), limit).err(), Some(Errno::EINVAL));
        assert_eq!(open(&names, b"c/d", one, limit).err(), Some(Errno::EACCES));
    }
}
