//! `epoll`.
//!
//! Members that are the host's (network sockets, standard streams) live in an epoll instance of the host,
//! made with the first of them; members inside are observed and come on a list when something may have
//! happened to them. A wait with host members is one host call, one without them none but the sleep itself.
//!
//! With the events come the data of streams that are readable, so that to read them is no further call ([`InetSocket::claim_ahead`]).
//!
//! What the host says of a member is believed only as far as it can be true: the member exists, was not
//! changed since, asked for the event and, with EPOLLONESHOT, has not had it yet. See [`members`].

mod members;
mod nesting;
mod ready;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_rt::call;
use enclave_rt::thread::{self, ThreadNumber};
use host_abi::{CallError, EpollControl, EpollCreate, EpollWait, HostFd, ReadyEvent};
use kobject::{
    Description, Errno, File, FileKind, Mutex, Observer, Result, Stat, Subscription, Wait, Waiter, remaining,
};
use linux_abi::{EpollFlags, PollEvents};

use crate::NOW;
use crate::anonymous;
use crate::host::{OwnedHostFd, call_once};
use crate::socket::{InetSocket, host_stream};
use members::{Member, Members, Token};
use ready::{Ready, Watch};

pub use host_abi::{EpollEvent, EpollOperation};

/// What may stand beside EPOLLEXCLUSIVE, with which one of several instances is woken.
/// EPOLLWAKEUP, which keeps a machine awake, has no effect.
const WITH_EXCLUSIVE: u32 = PollEvents::POLLIN
    .union(PollEvents::POLLOUT)
    .union(PollEvents::POLLERR)
    .union(PollEvents::POLLHUP)
    .bits()
    | EpollFlags::EPOLLEXCLUSIVE.bits()
    | EpollFlags::EPOLLWAKEUP.bits()
    | EpollFlags::EPOLLET.bits();

/// An epoll instance.
pub struct Epoll {
    this: Weak<Self>,
    state: Mutex<State>,
    ready: Arc<Ready>,
    /// Whether the next look leaves room for the host's events, so that neither side starves the other.
    hosts_turn: AtomicBool,
}

struct State {
    members: Members,
    /// The host's instance, if there has been a need for one.
    host: Option<OwnedHostFd>,
    /// How many members are in it.
    host_members: usize,
    waiter: WaitingThread,
    /// The members of which the host has received ahead, until they are read.
    unread: Vec<Token>,
    /// The instances that this one is a member of.
    parents: Vec<Weak<Epoll>>,
}

/// Which threads wait for an instance. Only where it is always the same one may the host receive ahead
/// ([`InetSocket::claim_ahead`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitingThread {
    Nobody,
    One(ThreadNumber),
    Several,
}

impl WaitingThread {
    /// The calling thread waits; whether it is the only one.
    fn wait(&mut self) -> bool {
        if !self.may_claim() {
            *self = Self::Several;
        }
        *self != Self::Several
    }

    /// Whether the calling thread is the only one that waits. The first that asks is.
    fn may_claim(&mut self) -> bool {
        let thread = ThreadNumber::current();
        if *self == Self::Nobody {
            *self = Self::One(thread);
        }
        *self == Self::One(thread)
    }
}

impl Epoll {
    /// An instance without members.
    pub fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            state: Mutex::new(State {
                members: Members::default(),
                host: None,
                host_members: 0,
                waiter: WaitingThread::Nobody,
                unread: Vec::new(),
                parents: Vec::new(),
            }),
            ready: Ready::new(),
            hosts_turn: AtomicBool::new(false),
        })
    }

    /// The open files that it watches under this descriptor number, of which there may be several when the number was used again: the one
    /// with this index.
    pub fn watched(&self, fd: u32, index: usize) -> Option<Arc<Description>> {
        // Dropped without the lock: they may be the last references.
        let watched: alloc::vec::Vec<_> = self.state.lock().members.under(fd).collect();
        watched.into_iter().nth(index)
    }

    /// `epoll_ctl` for the open file that descriptor number `fd` refers to. `event` is ignored by a deletion.
    pub fn control(
        &self,
        operation: EpollOperation,
        fd: u32,
        description: &Arc<Description>,
        event: EpollEvent,
    ) -> Result<()> {
        let target = description.object_as::<Self>();
        if target.is_some_and(|target| core::ptr::eq(target, self)) {
            return Err(Errno::EINVAL);
        }
        if event.events & EpollFlags::EPOLLEXCLUSIVE.bits() != 0 {
            let allowed = target.is_none() && event.events & !WITH_EXCLUSIVE == 0;
            match operation {
                EpollOperation::Add if allowed => {}
                EpollOperation::Delete => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        match operation {
            EpollOperation::Add => match target {
                Some(target) => self.add_nested(target, || self.add(fd, description, event)),
                None => self.add(fd, description, event),
            },
            EpollOperation::Modify => self.modify(fd, description, event),
            EpollOperation::Delete => self.delete(fd, description),
        }
    }

    fn add(&self, fd: u32, description: &Arc<Description>, event: EpollEvent) -> Result<()> {
        let object = description.object();
        let mut state = self.state.lock();
        if state.members.find(fd, description).is_some() {
            return Err(Errno::EEXIST);
        }
        let token = state.members.next_token();
        let mut member = Member::new(fd, description, event);
        member.host = object.host_fd();
        if let Some(target) = member.host {
            self.join_host(&mut state, &mut member, token, description, target, event.events)?;
        }
        self.watch(&mut member, token, description);
        if member.host.is_none() && member.watch.is_none() {
            // Always ready, as regular files are.
            return Err(Errno::EPERM);
        }
        let swept = state.members.insert(token, member);
        state.host_members -= swept;
        drop(state);
        self.look_at_new(token, description, event);
        Ok(())
    }

    /// Lets the host tell of a member, which is not among the others now.
    fn join_host(
        &self,
        state: &mut State,
        member: &mut Member,
        token: Token,
        description: &Arc<Description>,
        target: HostFd,
        events: u32,
    ) -> Result<()> {
        let host = self.host_instance(state)?;
        if state.members.has_host(target) {
            let apart = OwnedHostFd::new(call::call(&EpollCreate)?);
            tell_host(apart.fd(), EpollOperation::Add, target, events, token, false)?;
            tell_host(host, EpollOperation::Add, apart.fd(), READABLE, token, false)?;
            member.apart = Some(apart);
        } else {
            let stream = host_stream(description);
            member.ahead = stream.is_some_and(|stream| {
                stream.may_come_ahead() && state.waiter.may_claim() && stream.claim_ahead()
            });
            let done = tell_host(host, EpollOperation::Add, target, events, token, member.ahead);
            if let (Err(error), true, Some(stream)) = (done, member.ahead, stream) {
                stream.stop_ahead()?;
                return Err(error);
            }
            done?;
        }
        if state.host_members == 0 {
            // Who waits for members inside alone has to wait at the host from now on.
            self.ready.wake();
        }
        state.host_members += 1;
        Ok(())
    }

    /// The host tells of a member no more.
    fn leave_host(state: &mut State, member: &mut Member, token: Token, description: &Description) {
        let Some(target) = member.host.take() else {
            return;
        };
        state.host_members -= 1;
        if let Some(host) = &state.host {
            let target = member.apart.as_ref().map_or(target, OwnedHostFd::fd);
            // A host that keeps it is not believed about it any more.
            let _ = tell_host(host.fd(), EpollOperation::Delete, target, 0, token, false);
        }
        member.apart = None;
        if core::mem::take(&mut member.ahead)
            && let Some(stream) = host_stream(description)
        {
            stream.release_ahead();
        }
    }

    /// Takes account of a member whose socket has gone to the host, or left it: what it was bound or connected to decides that.
    fn follow(&self, state: &mut State, token: Token) {
        let Some((mut member, description, now)) = state.members.take_moved(token) else {
            return;
        };
        Self::leave_host(state, &mut member, token, &description);
        if let Some(target) = now {
            let events = member.asked();
            member.host = Some(target);
            if self
                .join_host(state, &mut member, token, &description, target, events)
                .is_err()
            {
                // As a host that never tells of it.
                member.host = None;
            }
        }
        self.watch(&mut member, token, &description);
        state.members.put_back(token, member);
    }

    fn modify(&self, fd: u32, description: &Arc<Description>, event: EpollEvent) -> Result<()> {
        self.stop_ahead_of_others(fd, description)?;
        let mut state = self.state.lock();
        let token = state.members.find(fd, description).ok_or(Errno::ENOENT)?;
        let host = state.host.as_ref().map(OwnedHostFd::fd);
        if state.members.is_exclusive(token) {
            return Err(Errno::EINVAL);
        }
        let (member, token) = state.members.renew(token).ok_or(Errno::ENOENT)?;
        // An event under way carries the old token and counts no longer; the host looks anew, so none is
        // lost.
        member.set(event);
        self.watch(member, token, description);
        match (member.host, host, &member.apart) {
            (Some(target), Some(host), Some(apart)) => {
                tell_host(host, EpollOperation::Modify, apart.fd(), READABLE, token, false)?;
                tell_host(
                    apart.fd(),
                    EpollOperation::Modify,
                    target,
                    event.events,
                    token,
                    false,
                )?;
            }
            (Some(target), Some(host), None) => {
                tell_host(
                    host,
                    EpollOperation::Modify,
                    target,
                    event.events,
                    token,
                    member.ahead,
                )?;
            }
            _ => {}
        }
        drop(state);
        self.look_at_new(token, description, event);
        Ok(())
    }

    fn delete(&self, fd: u32, description: &Arc<Description>) -> Result<()> {
        self.stop_ahead_of_others(fd, description)?;
        let mut state = self.state.lock();
        let token = state.members.find(fd, description).ok_or(Errno::ENOENT)?;
        let mut member = state.members.remove(token).ok_or(Errno::ENOENT)?;
        Self::leave_host(&mut state, &mut member, token, description);
        drop(state);
        if let Some(target) = description.object_as::<Self>() {
            target.forget_parent(self);
        }
        Ok(())
    }

    /// Before a thread changes a member of which the host receives ahead for the waits of another: what is under way must find the
    /// member as it is.
    fn stop_ahead_of_others(&self, fd: u32, description: &Arc<Description>) -> Result<()> {
        let Some(stream) = host_stream(description) else {
            return Ok(());
        };
        {
            let mut state = self.state.lock();
            let Some(token) = state.members.find(fd, description) else {
                return Ok(());
            };
            let is_own = state.waiter == WaitingThread::One(ThreadNumber::current());
            if is_own || !state.members.forbid_ahead(token) {
                return Ok(());
            }
        }
        // Not under the lock, which a thread needs that brings data.
        stream.stop_ahead()
    }

    /// Observes a member, if it can be.
    fn watch(&self, member: &mut Member, token: Token, description: &Description) {
        let watch = Watch::new(&self.ready, token, member.is_exclusive());
        // Of what comes ahead by this instance it takes note itself.
        let interest = if member.ahead {
            PollEvents::empty()
        } else {
            member.interest
        };
        let subscription = description.object().subscribe(interest, Watch::observer(&watch));
        member.watch = subscription.map(|subscription| (watch, subscription));
    }

    /// Puts a member on the list if it is ready already.
    fn look_at_new(&self, token: Token, description: &Description, event: EpollEvent) {
        let interest = PollEvents::from_bits_truncate(event.events) | PollEvents::UNASKED;
        if description.object().poll(interest).is_empty() {
            return;
        }
        let mut state = self.state.lock();
        let stream = host_stream(description);
        if stream.is_some_and(InetSocket::is_unread) {
            // Under its new token, nothing more is to be received of it ahead until this is read.
            state.unread.push(token);
        }
        let watch = state.members.watch(token);
        drop(state);
        if let Some(watch) = watch {
            watch.notify(interest);
        }
    }

    fn host_instance(&self, state: &mut State) -> Result<HostFd> {
        if let Some(host) = &state.host {
            return Ok(host.fd());
        }
        let host = call::call(&EpollCreate)?;
        state.host = Some(OwnedHostFd::new(host));
        // Who polls this instance has to poll the host's from now on.
        self.ready.wake();
        Ok(host)
    }

    /// `epoll_wait`: waits for events, puts them into `out` and gives how many; 0 after the deadline. EINTR
    /// when something is pending for the thread.
    pub fn wait(&self, out: &mut [EpollEvent], deadline: Option<u64>) -> Result<usize> {
        if out.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.look_at_unread();
        if deadline == NOW {
            return self.look(out);
        }
        if !self.ready.is_empty() {
            let count = self.look(out)?;
            if count > 0 {
                return Ok(count);
            }
        }
        let waiter = Waiter::new();
        let _subscription = self.ready.subscribe(PollEvents::POLLIN, waiter.observer());
        loop {
            waiter.reset();
            if !self.ready.is_empty() {
                let count = self.look(out)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            let Some(host) = self.host_with_members() else {
                match waiter.sleep(deadline) {
                    Ok(()) => continue,
                    Err(Errno::ETIMEDOUT) => return Ok(0),
                    Err(error) => return Err(error),
                }
            };
            let wait = match remaining(deadline) {
                Ok(wait) if !thread::is_pending() => wait,
                _ => Wait::NONE,
            };
            self.state.lock().members.begin_answer();
            match self.look_outside(host, out, 0, wait)? {
                0 if wait != Wait::NONE => {}
                0 if remaining(deadline).is_err() => return Ok(0),
                0 => return Err(Errno::EINTR),
                count => return Ok(count),
            }
        }
    }

    fn look_at_unread(&self) {
        let mut state = self.state.lock();
        if !state.unread.is_empty() {
            let State { members, unread, .. } = &mut *state;
            members.look_at_unread(unread);
        }
    }

    fn host_with_members(&self) -> Option<HostFd> {
        let state = self.state.lock();
        let host = state.host.as_ref().filter(|_| state.host_members > 0);
        host.map(OwnedHostFd::fd)
    }

    /// Takes what is ready now, inside and outside.
    fn look(&self, out: &mut [EpollEvent]) -> Result<usize> {
        self.state.lock().members.begin_answer();
        let Some(host) = self.host_with_members() else {
            return Ok(self.look_inside(out));
        };
        let reserved = usize::from(self.hosts_turn.fetch_not(Ordering::Relaxed));
        let room = out.len() - reserved;
        let mut count = self.look_inside(out.get_mut(..room).unwrap_or_default());
        if count < out.len() {
            count = self.look_outside(host, out, count, Wait::NONE)?;
        }
        if count == 0 {
            count = self.look_inside(out);
        }
        Ok(count)
    }

    /// Takes what is ready of the members inside.
    fn look_inside(&self, out: &mut [EpollEvent]) -> usize {
        let mut state = self.state.lock();
        let mut count = 0;
        // What goes back to the end of the list is not looked at twice.
        for _ in 0..self.ready.len() {
            if count == out.len() {
                break;
            }
            let Some(token) = self.ready.pop() else {
                break;
            };
            self.follow(&mut state, token);
            let Some(happened) = state.members.look_at(token) else {
                continue;
            };
            let Some(event) = state.members.tell(token, happened, count) else {
                continue;
            };
            if let Some(watch) = state.members.level_watch(token) {
                watch.queue();
            }
            if let Some(place) = out.get_mut(count) {
                *place = event;
                count += 1;
            }
        }
        count
    }

    /// Asks the host for events of its members, and adds them to the answer, which has `count` already; gives how many it has then. That
    /// the host returned early is no error.
    fn look_outside(
        &self,
        host: HostFd,
        out: &mut [EpollEvent],
        mut count: usize,
        wait: Wait,
    ) -> Result<usize> {
        let (ahead, held) = self.stage_unread();
        let request = EpollWait {
            epoll: host,
            most: (out.len() - count).min(EpollWait::MAX_EVENTS),
            wait,
            ahead,
            held,
        };
        let claimed = call_once(&request, wait)?.unwrap_or(0);
        let mut apart = Vec::new();
        let mut received = Vec::new();
        {
            let mut state = self.state.lock();
            let mut used = 0;
            for ready in Staged::new(claimed) {
                if let Some(piece) = Piece::next(ready, ahead, &mut used)?
                    && let Some((token, description)) = state.members.stream(ready.event)
                {
                    state.unread.push(token);
                    received.push((piece, description));
                }
                if let Some(instance) = state.members.apart(ready.event) {
                    apart.push(instance);
                } else {
                    state.members.add_claim(ready.event, out, &mut count);
                }
            }
        }
        // Not under the lock, since whoever waits for what comes is told.
        for (piece, description) in received {
            if let Some(stream) = host_stream(&description) {
                piece.deliver(stream)?;
            }
        }
        // The staging buffer is free again.
        for epoll in apart {
            let request = EpollWait {
                epoll,
                most: 1,
                wait: Wait::NONE,
                ahead: 0,
                held: 0,
            };
            if call_once(&request, Wait::NONE)?.unwrap_or(0) == 1 {
                let ready = Staged::new(1).next().ok_or(Errno::EIO)?;
                self.state.lock().members.add_claim(ready.event, out, &mut count);
            }
        }
        Ok(count)
    }

    /// Tells the host of which members it is to receive nothing ahead now; how much of the others, and of how many that is.
    fn stage_unread(&self) -> (usize, usize) {
        let mut state = self.state.lock();
        if !state.waiter.wait() || state.unread.len() > EpollWait::MAX_HELD {
            return (0, 0);
        }
        for (place, token) in state.unread.iter().enumerate() {
            let word = call::staging().part(place * size_of::<u64>(), size_of::<u64>());
            word.write(&token.raw().to_le_bytes());
        }
        (EpollWait::MAX_AHEAD, state.unread.len())
    }
}

/// What an instance of the host's for one member alone is watched for.
const READABLE: u32 = PollEvents::POLLIN.bits();

/// The events that the host has answered, copied in by the dozen: each copy of the host's memory takes a while to begin.
struct Staged {
    left: core::ops::Range<usize>,
    bytes: [u8; Self::AT_ONCE * ReadyEvent::SIZE],
}

impl Staged {
    const AT_ONCE: usize = 12;

    fn new(count: usize) -> Self {
        Self {
            left: 0..count,
            bytes: [0; Self::AT_ONCE * ReadyEvent::SIZE],
        }
    }
}

impl Iterator for Staged {
    type Item = ReadyEvent;

    fn next(&mut self) -> Option<ReadyEvent> {
        let place = self.left.next()?;
        let at = place % Self::AT_ONCE;
        if at == 0 {
            let count = Self::AT_ONCE.min(self.left.len() + 1);
            let part = call::staging().part(place * ReadyEvent::SIZE, count * ReadyEvent::SIZE);
            part.read(self.bytes.get_mut(..part.len())?);
        }
        let event = self.bytes.as_chunks().0.get(at)?;
        Some(ReadyEvent::from_bytes(*event))
    }
}

/// What has come ahead with an event.
struct Piece {
    /// The bytes in the staging buffer: where they begin, and how many they are.
    bytes: Result<(usize, usize)>,
    /// Whether the stream held no more.
    is_all: bool,
}

impl Piece {
    /// The next one of an answer to a wait that allowed `ahead` bytes, of which so many are `used`; `None` if nothing has come with this
    /// event. EIO if the host claims what cannot be.
    fn next(ready: ReadyEvent, ahead: usize, used: &mut usize) -> Result<Option<Self>> {
        let room = (ahead - *used).min(ReadyEvent::MAX_LEN);
        let len = match ready.ahead() {
            Ok(len) if len <= room => len,
            Err(CallError::Errno(Errno::EAGAIN)) => return Ok(None),
            Err(CallError::Errno(error)) => {
                return Ok(Some(Self {
                    bytes: Err(error),
                    is_all: false,
                }));
            }
            _ => return Err(Errno::EIO),
        };
        let bytes = Ok((EpollWait::AHEAD_OFFSET + *used, len));
        *used = ahead.min((*used + len).next_multiple_of(ReadyEvent::ALIGNMENT));
        Ok(Some(Self {
            bytes,
            // The end is something, too: a program that is told of its data alone must find it.
            is_all: len < room && ready.event.events & PollEvents::POLLRDHUP.bits() == 0,
        }))
    }

    /// EIO if the stream was among those of which nothing is to come.
    fn deliver(self, stream: &InetSocket) -> Result<()> {
        let bytes = self.bytes.map(|(at, len)| call::staging().part(at, len));
        stream.deliver_ahead(bytes, self.is_all)
    }
}

fn tell_host(
    epoll: HostFd,
    operation: EpollOperation,
    fd: HostFd,
    events: u32,
    token: Token,
    ahead: bool,
) -> Result<()> {
    let passed = EpollFlags::EPOLLET | EpollFlags::EPOLLONESHOT | EpollFlags::EPOLLEXCLUSIVE;
    Ok(call::call(&EpollControl {
        epoll,
        operation,
        fd,
        events: events & (PollEvents::all().bits() | passed.bits()),
        data: token.raw(),
        ahead,
    })?)
}

impl File for Epoll {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        anonymous::stat(FileKind::Anonymous, 0o600, 0)
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        self.look_at_unread();
        let mut state = self.state.lock();
        for _ in 0..self.ready.len() {
            let Some(token) = self.ready.pop() else {
                break;
            };
            self.follow(&mut state, token);
            if state.members.look_at(token).is_some() {
                if let Some(watch) = state.members.watch(token) {
                    watch.queue();
                }
                return PollEvents::READABLE & interest;
            }
        }
        PollEvents::empty()
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.ready.subscribe(interest, observer))
    }

    fn host_fd(&self) -> Option<HostFd> {
        self.state.lock().host.as_ref().map(OwnedHostFd::fd)
    }
}

#[cfg(test)]
mod tests;
