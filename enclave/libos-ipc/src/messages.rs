//! System V message queues (msgget(2), msgop(2), msgctl(2), ipc/msg.c).
//!
//! A message that somebody waits for never stands in the queue: the sender finishes the receiver's call.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Errno, Mutex, Result};
use linux_abi::Capabilities;
use linux_abi::ipc::{MSGMAX, MSGMNB, MSGMNI};

use crate::permissions::{Ownership, Permissions, READ, WRITE};
use crate::sleeper::{Sleep, Sleeper};
use crate::table::{Object, Table, Usage};
use crate::{Caller, Named};

/// What a message takes beside its bytes.
const OVERHEAD: usize = 64;
/// Bytes of all messages in all queues at most, with their overhead: ENOMEM beyond. Linux counts them as the sender's memory.
const MOST_BYTES: usize = 64 << 20;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// At least 1.
    pub kind: i64,
    /// At most MSGMAX bytes.
    pub text: Vec<u8>,
}

/// Which message is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The first.
    Any,
    /// The first of this type.
    Of(i64),
    /// The first of another type.
    Except(i64),
    /// The first of the lowest type that is at most this one.
    UpTo(i64),
}

impl Selection {
    fn takes(self, kind: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Of(wanted) => kind == wanted,
            Self::Except(unwanted) => kind != unwanted,
            Self::UpTo(most) => kind <= most,
        }
    }
}

struct Receiver {
    selection: Selection,
    /// The longest message that it takes whole; `None` if it takes the first part of longer ones.
    limit: Option<usize>,
    pid: u32,
    sleeper: Arc<Sleeper<Message>>,
}

struct Queue {
    permissions: Permissions,
    messages: VecDeque<Message>,
    bytes: u64,
    limit: u64,
    sent: i64,
    received: i64,
    changed: i64,
    last_sender: u32,
    last_receiver: u32,
    receivers: Vec<Receiver>,
    /// Those who wait for room, who look again.
    senders: Vec<Arc<Sleeper<()>>>,
}

impl Object for Queue {
    fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    fn permissions_mut(&mut self) -> &mut Permissions {
        &mut self.permissions
    }
}

/// What `IPC_STAT` gives of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Its identifier.
    pub id: i32,
    /// Who may do what.
    pub permissions: Permissions,
    /// The last message sent, seconds since 1970; 0 for none.
    pub sent: i64,
    /// The last message received.
    pub received: i64,
    /// The last change of the queue itself.
    pub changed: i64,
    /// Bytes of its messages.
    pub bytes: u64,
    /// How many messages it has.
    pub len: u64,
    /// Bytes of messages that it takes.
    pub limit: u64,
    /// The last sender's process.
    pub last_sender: u32,
    /// The last receiver's.
    pub last_receiver: u32,
}

/// All queues.
pub struct Messages {
    queues: Mutex<Table<Queue>>,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            queues: Mutex::new(Table::new(MSGMNI)),
        }
    }
}

/// Whom a call wakes when it has given the lock back.
#[derive(Default)]
struct Woken {
    receivers: Vec<Arc<Sleeper<Message>>>,
    senders: Vec<Arc<Sleeper<()>>>,
}

impl Woken {
    fn wake(self) {
        self.receivers.iter().for_each(|receiver| receiver.wake());
        self.senders.iter().for_each(|sender| sender.wake());
    }
}

impl Messages {
    /// `msgget`.
    pub fn open(&self, caller: Caller<'_>, key: i32, flags: u32) -> Result<i32> {
        let make = |_: &mut Table<Queue>, permissions| {
            Ok(Queue {
                permissions,
                messages: VecDeque::new(),
                bytes: 0,
                limit: MSGMNB,
                sent: 0,
                received: 0,
                changed: caller.now,
                last_sender: 0,
                last_receiver: 0,
                receivers: Vec::new(),
                senders: Vec::new(),
            })
        };
        let mut queues = self.queues.lock();
        queues.find_or_make(caller, key, flags, |_| Ok(()), make)
    }

    /// `msgsnd`. `sleep` is `None` for `IPC_NOWAIT`.
    pub fn send(
        &self,
        caller: Caller<'_>,
        id: i32,
        message: Message,
        mut sleep: Option<Sleep<'_>>,
    ) -> Result<()> {
        if message.text.len() > MSGMAX || message.kind < 1 {
            return Err(Errno::EINVAL);
        }
        loop {
            let mut woken = Woken::default();
            let result = self.try_send(caller, id, &message, sleep.is_some(), &mut woken);
            woken.wake();
            let Some(sleeper) = result? else { return Ok(()) };
            let Some(sleep) = sleep.as_mut() else {
                return Err(Errno::EAGAIN);
            };
            match sleeper.wait(&mut **sleep) {
                Ok(outcome) => outcome?,
                Err(error) => {
                    let mut queues = self.queues.lock();
                    if let Some(Err(removed)) = sleeper.take() {
                        return Err(removed);
                    }
                    if let Ok(queue) = queues.get_mut(id) {
                        queue.senders.retain(|other| !Arc::ptr_eq(other, &sleeper));
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Sends, or stands in line.
    fn try_send(
        &self,
        caller: Caller<'_>,
        id: i32,
        message: &Message,
        may_wait: bool,
        woken: &mut Woken,
    ) -> Result<Option<Arc<Sleeper<()>>>> {
        let mut queues = self.queues.lock();
        let all = total(&queues);
        let queue = queues.get_mut(id)?;
        queue.permissions.check(caller, WRITE)?;
        let len = message.text.len() as u64;
        let has_room = queue.bytes + len <= queue.limit && (queue.messages.len() as u64) < queue.limit;
        if !has_room {
            if !may_wait {
                return Err(Errno::EAGAIN);
            }
            let sleeper = Sleeper::new();
            queue.senders.push(sleeper.clone());
            return Ok(Some(sleeper));
        }
        queue.last_sender = caller.pid;
        queue.sent = caller.now;
        if queue.hand_over(message, caller.now, woken) {
            return Ok(None);
        }
        if all + OVERHEAD + message.text.len() > MOST_BYTES {
            return Err(Errno::ENOMEM);
        }
        queue.bytes += len;
        queue.messages.push_back(message.clone());
        Ok(None)
    }

    /// `msgrcv`: the message, of which the caller takes at most `limit` bytes whole: E2BIG beyond. `sleep` is `None` for
    /// `IPC_NOWAIT`.
    pub fn receive(
        &self,
        caller: Caller<'_>,
        id: i32,
        selection: Selection,
        limit: Option<usize>,
        sleep: Option<Sleep<'_>>,
    ) -> Result<Message> {
        let mut woken = Woken::default();
        let result = self.try_receive(caller, id, (selection, limit), sleep.is_some(), &mut woken);
        woken.wake();
        let sleeper = match result? {
            Received::Message(message) => return Ok(message),
            Received::Later(sleeper) => sleeper,
        };
        let Some(sleep) = sleep else {
            return Err(Errno::ENOMSG);
        };
        match sleeper.wait(sleep) {
            Ok(outcome) => outcome,
            Err(error) => {
                let mut queues = self.queues.lock();
                if let Some(outcome) = sleeper.take() {
                    return outcome;
                }
                if let Ok(queue) = queues.get_mut(id) {
                    queue
                        .receivers
                        .retain(|other| !Arc::ptr_eq(&other.sleeper, &sleeper));
                }
                Err(error)
            }
        }
    }

    fn try_receive(
        &self,
        caller: Caller<'_>,
        id: i32,
        (selection, limit): (Selection, Option<usize>),
        may_wait: bool,
        woken: &mut Woken,
    ) -> Result<Received> {
        let mut queues = self.queues.lock();
        let queue = queues.get_mut(id)?;
        queue.permissions.check(caller, READ)?;
        let Some(at) = queue.find(selection) else {
            if !may_wait {
                return Err(Errno::ENOMSG);
            }
            let sleeper = Sleeper::new();
            queue.receivers.push(Receiver {
                selection,
                limit,
                pid: caller.pid,
                sleeper: sleeper.clone(),
            });
            return Ok(Received::Later(sleeper));
        };
        let len = queue.messages.get(at).map_or(0, |message| message.text.len());
        if limit.is_some_and(|limit| len > limit) {
            return Err(Errno::E2BIG);
        }
        let message = queue.messages.remove(at).ok_or(Errno::ENOMSG)?;
        queue.bytes -= len as u64;
        queue.received = caller.now;
        queue.last_receiver = caller.pid;
        queue.let_senders_look(woken);
        Ok(Received::Message(message))
    }

    /// `msgrcv` with `MSG_COPY`: the message at this place, which stays. ENOMSG if there is none.
    pub fn copy(&self, caller: Caller<'_>, id: i32, place: i64, limit: Option<usize>) -> Result<Message> {
        let queues = self.queues.lock();
        let queue = queues.get(id)?;
        queue.permissions.check(caller, READ)?;
        let place = usize::try_from(place).map_err(|_| Errno::ENOMSG)?;
        let message = queue.messages.get(place).ok_or(Errno::ENOMSG)?;
        match limit.is_some_and(|limit| message.text.len() > limit) {
            true => Err(Errno::E2BIG),
            false => Ok(message.clone()),
        }
    }

    /// `IPC_STAT` and its kin.
    pub fn state(&self, caller: Caller<'_>, named: Named) -> Result<QueueState> {
        let queues = self.queues.lock();
        let (id, queue) = queues.look_at(caller, named)?;
        Ok(queue.state(id))
    }

    /// `IPC_SET`, which also sets how many bytes the queue takes.
    pub fn set(&self, caller: Caller<'_>, id: i32, new: Ownership, limit: u64) -> Result<()> {
        let mut woken = Woken::default();
        let result = {
            let mut queues = self.queues.lock();
            queues.changeable(caller, id).and_then(|queue| {
                if limit > MSGMNB {
                    caller.credentials.require(Capabilities::CAP_SYS_RESOURCE)?;
                }
                queue.permissions.set(new)?;
                queue.limit = limit;
                queue.changed = caller.now;
                queue.let_senders_look(&mut woken);
                Ok(())
            })
        };
        woken.wake();
        result
    }

    /// `IPC_RMID`: whoever waits gets EIDRM.
    pub fn remove(&self, caller: Caller<'_>, id: i32) -> Result<()> {
        let removed = {
            let mut queues = self.queues.lock();
            queues.changeable(caller, id)?;
            queues.remove(id)
        };
        let Some(queue) = removed else { return Ok(()) };
        for receiver in &queue.receivers {
            receiver.sleeper.finish(Err(Errno::EIDRM));
            receiver.sleeper.wake();
        }
        for sender in &queue.senders {
            sender.finish(Err(Errno::EIDRM));
            sender.wake();
        }
        Ok(())
    }

    /// `IPC_INFO` and `MSG_INFO`: the table's usage, messages and their bytes.
    pub fn usage(&self) -> (Usage, usize, u64) {
        let queues = self.queues.lock();
        let messages = queues.all().map(|(_, queue)| queue.messages.len()).sum();
        let bytes = queues.all().map(|(_, queue)| queue.bytes).sum();
        (queues.usage(), messages, bytes)
    }

    /// All queues, for /proc.
    pub fn all(&self) -> Vec<QueueState> {
        let queues = self.queues.lock();
        queues.all().map(|(id, queue)| queue.state(id)).collect()
    }
}

enum Received {
    Message(Message),
    Later(Arc<Sleeper<Message>>),
}

fn total(queues: &Table<Queue>) -> usize {
    let bytes = |queue: &Queue| queue.bytes as usize + queue.messages.len() * OVERHEAD;
    queues.all().map(|(_, queue)| bytes(queue)).sum()
}

impl Queue {
    fn state(&self, id: i32) -> QueueState {
        QueueState {
            id,
            permissions: self.permissions.clone(),
            sent: self.sent,
            received: self.received,
            changed: self.changed,
            bytes: self.bytes,
            len: self.messages.len() as u64,
            limit: self.limit,
            last_sender: self.last_sender,
            last_receiver: self.last_receiver,
        }
    }

    /// The place of the message that a selection takes.
    fn find(&self, selection: Selection) -> Option<usize> {
        let kinds = self.messages.iter().map(|message| message.kind).enumerate();
        let mut suitable = kinds.filter(|&(_, kind)| selection.takes(kind));
        let found = match selection {
            // Of equal ones, the first is kept.
            Selection::UpTo(_) => suitable.min_by_key(|&(_, kind)| kind),
            _ => suitable.next(),
        };
        found.map(|(at, _)| at)
    }

    /// Gives a message to the first who waits for such a one; whether there was somebody.
    fn hand_over(&mut self, message: &Message, now: i64, woken: &mut Woken) -> bool {
        while let Some(at) = self
            .receivers
            .iter()
            .position(|receiver| receiver.selection.takes(message.kind))
        {
            let receiver = self.receivers.remove(at);
            let fits = receiver.limit.is_none_or(|limit| message.text.len() <= limit);
            receiver.sleeper.finish(match fits {
                true => Ok(message.clone()),
                false => Err(Errno::E2BIG),
            });
            woken.receivers.push(receiver.sleeper);
            if fits {
                self.last_receiver = receiver.pid;
                self.received = now;
                return true;
            }
        }
        false
    }

    /// There may be room.
    fn let_senders_look(&mut self, woken: &mut Woken) {
        for sender in core::mem::take(&mut self.senders) {
            sender.finish(Ok(()));
            woken.senders.push(sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use kobject::Credentials;
    use linux_abi::ipc::IPC_PRIVATE;

    use super::*;

    struct One {
        user: Credentials,
        queues: Messages,
        id: i32,
    }

    impl One {
        fn new() -> Self {
            let user = Credentials::new(10, 10, Vec::new());
            let queues = Messages::default();
            let mut one = Self { user, queues, id: 0 };
            one.id = one.queues.open(one.me(), IPC_PRIVATE, 0o600).unwrap();
            one
        }

        fn me(&self) -> Caller<'_> {
            Caller {
                credentials: &self.user,
                pid: 5,
                now: 9,
            }
        }

        fn send(&self, kind: i64, text: &[u8]) -> Result<()> {
            let text = text.to_vec();
            self.queues.send(self.me(), self.id, Message { kind, text }, None)
        }

        fn receive(&self, selection: Selection, limit: Option<usize>) -> Result<Vec<u8>> {
            let received = self.queues.receive(self.me(), self.id, selection, limit, None);
            received.map(|message| message.text)
        }
    }

    #[test]
    fn types_select_messages() {
        let one = One::new();
        for (kind, text) in [(3, b"a"), (1, b"b"), (2, b"c"), (1, b"d")] {
            one.send(kind, text).unwrap();
        }
        assert_eq!(one.receive(Selection::UpTo(2), None), Ok(b"b".to_vec()));
        assert_eq!(one.receive(Selection::Except(3), None), Ok(b"c".to_vec()));
        assert_eq!(one.receive(Selection::Of(7), None), Err(Errno::ENOMSG));
        assert_eq!(one.receive(Selection::Any, Some(0)), Err(Errno::E2BIG));
        assert_eq!(one.receive(Selection::Any, None), Ok(b"a".to_vec()));
        assert_eq!(one.receive(Selection::Of(1), None), Ok(b"d".to_vec()));
        let state = one.queues.state(one.me(), Named::Id(one.id)).unwrap();
        assert_eq!((state.bytes, state.len, state.last_receiver), (0, 0, 5));
    }

    #[test]
    fn a_queue_has_an_end() {
        let one = One::new();
        for _ in 0..2 {
            one.send(1, &[0; MSGMAX]).unwrap();
        }
        assert_eq!(one.send(1, b"x"), Err(Errno::EAGAIN));
        assert_eq!(one.send(1, b""), Ok(()));
        let owner = Ownership {
            uid: 10,
            gid: 10,
            mode: 0o600,
        };
        let set = |limit| one.queues.set(one.me(), one.id, owner, limit);
        assert_eq!(set(MSGMNB + 1), Err(Errno::EPERM));
        assert_eq!(set(1), Ok(()));
        assert_eq!(one.send(1, b""), Err(Errno::EAGAIN));
        assert_eq!(one.send(0, b""), Err(Errno::EINVAL));
        assert_eq!(one.send(1, &[0; MSGMAX + 1]), Err(Errno::EINVAL));
    }
}
