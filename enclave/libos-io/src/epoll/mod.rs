//! `epoll`.
//!
//! Members that are the host's (network sockets, standard streams) live in an epoll instance of the host,
//! made with the first of them; members inside are observed and come on a list when something may have
//! happened to them. A wait with host members is one host call, one without them none but the sleep itself.
//!
//! What the host says of a member is believed only as far as it can be true: the member exists, was not
//! changed since, asked for the event and, with EPOLLONESHOT, has not had it yet. See [`members`].

mod members;
mod nesting;
mod ready;

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_rt::{call, thread};
use host_abi::{EpollControl, EpollCreate, EpollWait, HostFd};
use kobject::{
    Description, Errno, File, FileKind, Mutex, Observer, Result, Stat, Subscription, Wait, Waiter, remaining,
};
use linux_abi::{EpollFlags, PollEvents};

use crate::NOW;
use crate::anonymous;
use crate::host::{OwnedHostFd, call_once};
use members::{Member, Members, Token};
use ready::{Ready, Watch};

pub use host_abi::{EpollEvent, EpollOperation};

/// What may stand beside EPOLLEXCLUSIVE, with which of several instances few are woken. Inside, all are, which the manual allows.
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
    /// The instances that this one is a member of.
    parents: alloc::vec::Vec<Weak<Epoll>>,
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
                parents: alloc::vec::Vec::new(),
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
        self.watch(&mut member, token, description);
        if member.host.is_none() && member.watch.is_none() {
            // Always ready, as regular files are.
            return Err(Errno::EPERM);
        }
        if let Some(target) = member.host {
            let host = self.host_instance(&mut state)?;
            if state.members.has_host(target) {
                let apart = OwnedHostFd(call::call(&EpollCreate)?);
                tell_host(apart.0, EpollOperation::Add, target, event.events, token)?;
                tell_host(host, EpollOperation::Add, apart.0, READABLE, token)?;
                member.apart = Some(apart);
            } else {
                tell_host(host, EpollOperation::Add, target, event.events, token)?;
            }
            state.host_members += 1;
        }
        let swept = state.members.insert(token, member);
        state.host_members -= swept;
        drop(state);
        self.look_at_new(token, description, event);
        Ok(())
    }

    fn modify(&self, fd: u32, description: &Arc<Description>, event: EpollEvent) -> Result<()> {
        let mut state = self.state.lock();
        let token = state.members.find(fd, description).ok_or(Errno::ENOENT)?;
        let host = state.host.as_ref().map(|host| host.0);
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
                tell_host(host, EpollOperation::Modify, apart.0, READABLE, token)?;
                tell_host(apart.0, EpollOperation::Modify, target, event.events, token)?;
            }
            (Some(target), Some(host), None) => {
                tell_host(host, EpollOperation::Modify, target, event.events, token)?;
            }
            _ => {}
        }
        drop(state);
        self.look_at_new(token, description, event);
        Ok(())
    }

    fn delete(&self, fd: u32, description: &Arc<Description>) -> Result<()> {
        let mut state = self.state.lock();
        let token = state.members.find(fd, description).ok_or(Errno::ENOENT)?;
        let member = state.members.remove(token).ok_or(Errno::ENOENT)?;
        if let Some(target) = member.host {
            state.host_members -= 1;
            if let Some(host) = &state.host {
                let target = member.apart.as_ref().map_or(target, |apart| apart.0);
                // A host that keeps it is not believed about it any more.
                let _ = tell_host(host.0, EpollOperation::Delete, target, 0, token);
            }
        }
        drop(state);
        if let Some(target) = description.object_as::<Self>() {
            target.forget_parent(self);
        }
        Ok(())
    }

    /// Observes a member, if it can be.
    fn watch(&self, member: &mut Member, token: Token, description: &Description) {
        let watch = Watch::new(&self.ready, token);
        let interest = member.interest;
        let subscription = description.object().subscribe(interest, Watch::observer(&watch));
        member.watch = subscription.map(|subscription| (watch, subscription));
    }

    /// Puts a member on the list if it is ready already.
    fn look_at_new(&self, token: Token, description: &Description, event: EpollEvent) {
        let interest = PollEvents::from_bits_truncate(event.events) | PollEvents::UNASKED;
        if description.object().poll(interest).is_empty() {
            return;
        }
        let watch = self.state.lock().members.watch(token);
        if let Some(watch) = watch {
            watch.notify(interest);
        }
    }

    fn host_instance(&self, state: &mut State) -> Result<HostFd> {
        if let Some(host) = &state.host {
            return Ok(host.0);
        }
        let host = call::call(&EpollCreate)?;
        state.host = Some(OwnedHostFd(host));
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
            match self.look_outside(host, out, wait)? {
                0 if wait != Wait::NONE => {}
                0 if remaining(deadline).is_err() => return Ok(0),
                0 => return Err(Errno::EINTR),
                count => return Ok(count),
            }
        }
    }

    fn host_with_members(&self) -> Option<HostFd> {
        let state = self.state.lock();
        let host = state.host.as_ref().filter(|_| state.host_members > 0);
        host.map(|host| host.0)
    }

    /// Takes what is ready now, inside and outside.
    fn look(&self, out: &mut [EpollEvent]) -> Result<usize> {
        let Some(host) = self.host_with_members() else {
            return Ok(self.look_inside(out));
        };
        let reserved = usize::from(self.hosts_turn.fetch_not(Ordering::Relaxed));
        let room = out.len() - reserved;
        let mut count = self.look_inside(out.get_mut(..room).unwrap_or_default());
        if count < out.len() {
            count += self.look_outside(host, out.get_mut(count..).unwrap_or_default(), Wait::NONE)?;
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
            let Some(happened) = state.members.look_at(token) else {
                continue;
            };
            let Some(event) = state.members.report(token, happened) else {
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

    /// Asks the host for events of its members. That it returned early is no error.
    fn look_outside(&self, host: HostFd, out: &mut [EpollEvent], wait: Wait) -> Result<usize> {
        let request = EpollWait {
            epoll: host,
            most: out.len().min(EpollWait::MAX_EVENTS),
            wait,
        };
        let claimed = call_once(&request, wait)?.unwrap_or(0);
        let mut state = self.state.lock();
        state.members.begin_answer();
        let mut count = 0;
        let mut apart = alloc::vec::Vec::new();
        for place in 0..claimed {
            let event = staged(place);
            if let Some(instance) = state.members.apart(event) {
                apart.push(instance);
            } else if let Some(event) = state.members.believe(event)
                && let Some(place) = out.get_mut(count)
            {
                *place = event;
                count += 1;
            }
        }
        // The staging buffer is free again.
        for epoll in apart {
            let request = EpollWait {
                epoll,
                most: 1,
                wait: Wait::NONE,
            };
            if call_once(&request, Wait::NONE)?.unwrap_or(0) == 1
                && let Some(event) = state.members.believe(staged(0))
                && let Some(place) = out.get_mut(count)
            {
                *place = event;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// What an instance of the host's for one member alone is watched for.
const READABLE: u32 = PollEvents::POLLIN.bits();

/// An event that the host has answered.
fn staged(place: usize) -> EpollEvent {
    let mut bytes = [0; EpollEvent::SIZE];
    call::staging()
        .part(place * EpollEvent::SIZE, EpollEvent::SIZE)
        .read(&mut bytes);
    EpollEvent::from_bytes(bytes)
}

fn tell_host(epoll: HostFd, operation: EpollOperation, fd: HostFd, events: u32, token: Token) -> Result<()> {
    let passed = EpollFlags::EPOLLET | EpollFlags::EPOLLONESHOT | EpollFlags::EPOLLEXCLUSIVE;
    Ok(call::call(&EpollControl {
        epoll,
        operation,
        fd,
        events: events & (PollEvents::all().bits() | passed.bits()),
        data: token.raw(),
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
        let mut state = self.state.lock();
        for _ in 0..self.ready.len() {
            let Some(token) = self.ready.pop() else {
                break;
            };
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
        self.state.lock().host.as_ref().map(|host| host.0)
    }
}

#[cfg(test)]
mod tests;
