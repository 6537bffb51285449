//! The members of an epoll instance, and which events of theirs are believed.
//!
//! A member lives in a slot and is known by a [`Token`]: the slot's number and how often the slot was given
//! out or its member modified. The host gets the token as the data of its event; one that is out of date
//! means nothing.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use host_abi::{EpollEvent, HostFd};
use kobject::{Description, Subscription};
use linux_abi::{EpollFlags, PollEvents};

use super::ready::Watch;
use crate::host::OwnedHostFd;
use crate::socket::{InetSocket, IpSocket, host_stream};

/// Names a member, as it is since its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    slot: u32,
    generation: u32,
}

impl Token {
    /// As a word.
    pub fn raw(self) -> u64 {
        u64::from(self.slot) | u64::from(self.generation) << 32
    }

    fn from_raw(raw: u64) -> Self {
        Self {
            slot: raw as u32,
            generation: (raw >> 32) as u32,
        }
    }
}

/// A descriptor that is watched.
pub(super) struct Member {
    key: Key,
    description: Weak<Description>,
    pub interest: PollEvents,
    flags: EpollFlags,
    data: u64,
    /// Cleared by the event of an EPOLLONESHOT member.
    armed: bool,
    /// The answer ([`Members::begin_answer`]) in which the host was last believed.
    believed_in: u64,
    /// The answer in which it was last told of from inside, and its place there.
    told: (u64, usize),
    /// Whether the host may receive of it ahead: this instance has claimed the stream.
    pub ahead: bool,
    /// The host's descriptor, if it is the host that tells of it.
    pub host: Option<HostFd>,
    /// An instance of the host's for it alone, since the host takes a socket once into an instance, and Linux once for each descriptor.
    /// That instance is in the one of the others in its place.
    pub apart: Option<OwnedHostFd>,
    /// Its observer, if it is inside. An epoll instance can be both.
    pub watch: Option<(Arc<Watch>, Subscription)>,
}

/// An open file under a descriptor number. The address is that of the open file, which stays taken while a
/// member refers to it weakly.
type Key = (usize, u32);

fn key(fd: u32, description: &Arc<Description>) -> Key {
    (Arc::as_ptr(description).addr(), fd)
}

impl Member {
    pub fn new(fd: u32, description: &Arc<Description>, event: EpollEvent) -> Self {
        let mut member = Self {
            key: key(fd, description),
            description: Arc::downgrade(description),
            interest: PollEvents::empty(),
            flags: EpollFlags::empty(),
            data: 0,
            armed: true,
            believed_in: 0,
            told: (0, 0),
            ahead: false,
            host: None,
            apart: None,
            watch: None,
        };
        member.set(event);
        member
    }

    /// Sets what is asked for, and arms it.
    pub fn set(&mut self, event: EpollEvent) {
        self.interest =
            PollEvents::from_bits_truncate(event.events) | PollEvents::POLLERR | PollEvents::POLLHUP;
        self.flags = EpollFlags::from_bits_truncate(event.events);
        self.data = event.data;
        self.armed = true;
    }

    /// What is asked for, as `epoll_ctl` takes it.
    pub fn asked(&self) -> u32 {
        self.interest.bits() | self.flags.bits()
    }

    /// Whether it has EPOLLEXCLUSIVE.
    pub fn is_exclusive(&self) -> bool {
        self.flags.contains(EpollFlags::EPOLLEXCLUSIVE)
    }

    fn is_open(&self) -> bool {
        self.description.strong_count() > 0
    }
}

/// What the host's claim adds to an answer. A program that gets two events of a member at once may have freed what the second speaks of,
/// so an answer has no more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Believed {
    /// An event.
    Event(EpollEvent),
    /// These bits, for the event at this place.
    Also(usize, u32),
}

/// The members.
#[derive(Default)]
pub(super) struct Members {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_key: BTreeMap<Key, u32>,
    /// How many members there may be before those whose files are closed are looked for.
    sweep_at: usize,
    /// How many answers the host has given.
    answers: u64,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    member: Option<Member>,
}

impl Members {
    /// The member that watches this open file under this number.
    pub fn find(&self, fd: u32, description: &Arc<Description>) -> Option<Token> {
        let slot = *self.by_key.get(&key(fd, description))?;
        let generation = self.slots.get(slot as usize)?.generation;
        Some(Token { slot, generation })
    }

    /// The open files that are watched under this number.
    pub fn under(&self, fd: u32) -> impl Iterator<Item = Arc<Description>> {
        let members = self.slots.iter().filter_map(|slot| slot.member.as_ref());
        members
            .filter(move |member| member.key.1 == fd)
            .filter_map(|member| member.description.upgrade())
    }

    /// Whether the host has this descriptor of its own among the members.
    pub fn has_host(&self, target: HostFd) -> bool {
        let mut members = self.slots.iter().filter_map(|slot| slot.member.as_ref());
        members.any(|member| member.host == Some(target))
    }

    /// The instance that the host has for the member alone which an event names, if it has one.
    pub fn apart(&mut self, event: EpollEvent) -> Option<HostFd> {
        let member = self.get(Token::from_raw(event.data))?;
        member.apart.as_ref().map(OwnedHostFd::fd)
    }

    /// The token that the next member gets.
    pub fn next_token(&self) -> Token {
        let slot = self.free.last().copied().unwrap_or(self.slots.len() as u32);
        let generation = self.slots.get(slot as usize).map_or(0, |slot| slot.generation);
        Token { slot, generation }
    }

    /// Adds a member under [`Members::next_token`]. Now and then, those whose files are closed are removed;
    /// gives how many of these were the host's.
    pub fn insert(&mut self, token: Token, member: Member) -> usize {
        self.by_key.insert(member.key, token.slot);
        if self.free.pop().is_none() {
            self.slots.push(Slot::default());
        }
        if let Some(slot) = self.slots.get_mut(token.slot as usize) {
            slot.member = Some(member);
        }
        if self.by_key.len() <= self.sweep_at {
            return 0;
        }
        let swept = self.sweep();
        self.sweep_at = 2 * self.by_key.len() + 16;
        swept
    }

    fn sweep(&mut self) -> usize {
        let mut hosts = 0;
        let closed = |slot: &Slot| slot.member.as_ref().is_some_and(|member| !member.is_open());
        let all = self.slots.iter().zip(0..).filter(|(slot, _)| closed(slot));
        let tokens: Vec<Token> = all
            .map(|(slot, index)| Token {
                slot: index,
                generation: slot.generation,
            })
            .collect();
        for token in tokens {
            hosts += usize::from(self.remove(token).is_some_and(|member| member.host.is_some()));
        }
        hosts
    }

    fn get(&mut self, token: Token) -> Option<&mut Member> {
        let slot = self.slots.get_mut(token.slot as usize)?;
        slot.member
            .as_mut()
            .filter(|_| slot.generation == token.generation)
    }

    /// Whether a member has EPOLLEXCLUSIVE.
    pub fn is_exclusive(&mut self, token: Token) -> bool {
        self.get(token).is_some_and(|member| member.is_exclusive())
    }

    /// Takes a member out.
    pub fn remove(&mut self, token: Token) -> Option<Member> {
        let key = self.get(token)?.key;
        self.by_key.remove(&key);
        let slot = self.slots.get_mut(token.slot as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(token.slot);
        slot.member.take()
    }

    /// Gives a member a new token, so that nothing that was said under the old one counts.
    pub fn renew(&mut self, token: Token) -> Option<(&mut Member, Token)> {
        self.get(token)?;
        let slot = self.slots.get_mut(token.slot as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        let token = Token {
            slot: token.slot,
            generation: slot.generation,
        };
        slot.member.as_mut().map(|member| (member, token))
    }

    /// The observer of a member inside.
    pub fn watch(&mut self, token: Token) -> Option<Arc<Watch>> {
        self.get(token)?.watch.as_ref().map(|(watch, _)| watch.clone())
    }

    /// The observer of a member that is reported for as long as it is ready.
    pub fn level_watch(&mut self, token: Token) -> Option<Arc<Watch>> {
        let flags = self.get(token)?.flags;
        if flags.intersects(EpollFlags::EPOLLET | EpollFlags::EPOLLONESHOT) {
            return None;
        }
        self.watch(token)
    }

    /// What is the case with a member inside that was on the list; `None` if nothing that it asked for is.
    pub fn look_at(&mut self, token: Token) -> Option<PollEvents> {
        let member = self.get(token)?;
        let (watch, _) = member.watch.as_ref()?;
        watch.unqueue();
        if !member.armed {
            return None;
        }
        let description = member.description.upgrade()?;
        let happened = description.object().poll(member.interest) & member.interest;
        (!happened.is_empty()).then_some(happened)
    }

    /// The event that tells of what has happened to a member; it disarms an EPOLLONESHOT member.
    pub fn report(&mut self, token: Token, happened: PollEvents) -> Option<EpollEvent> {
        let member = self.get(token)?;
        let happened = happened & member.interest;
        if happened.is_empty() || !member.armed || !member.is_open() {
            return None;
        }
        member.armed = !member.flags.contains(EpollFlags::EPOLLONESHOT);
        Some(EpollEvent {
            events: happened.bits(),
            data: member.data,
        })
    }

    /// What follows is of one answer to the program.
    pub fn begin_answer(&mut self) {
        self.answers += 1;
    }

    /// An event from inside, for this place of the answer.
    pub fn tell(&mut self, token: Token, happened: PollEvents, place: usize) -> Option<EpollEvent> {
        let event = self.report(token, happened)?;
        let answer = self.answers;
        self.get(token)?.told = (answer, place);
        Some(event)
    }

    /// What an event that the host claims adds to an answer, if it can be true.
    pub fn believe(&mut self, claim: EpollEvent) -> Option<Believed> {
        let answer = self.answers;
        let token = Token::from_raw(claim.data);
        let member = self.get(token)?;
        member.host?;
        if core::mem::replace(&mut member.believed_in, answer) == answer {
            return None;
        }
        let happened = PollEvents::from_bits_truncate(claim.events);
        match member.told {
            (told_in, place) if told_in == answer => {
                Some(Believed::Also(place, (happened & member.interest).bits()))
            }
            _ => self.report(token, happened).map(Believed::Event),
        }
    }

    /// Adds what can be true of a claim of the host's to an answer, which has `count` events.
    pub fn add_claim(&mut self, claim: EpollEvent, answer: &mut [EpollEvent], count: &mut usize) {
        match self.believe(claim) {
            Some(Believed::Event(event)) => {
                if let Some(place) = answer.get_mut(*count) {
                    *place = event;
                    *count += 1;
                }
            }
            Some(Believed::Also(place, bits)) => {
                if let Some(event) = answer.get_mut(place) {
                    event.events |= bits;
                }
            }
            None => {}
        }
    }

    /// Lets the host receive of a member ahead no more, as far as this instance goes; whether it could.
    pub fn forbid_ahead(&mut self, token: Token) -> bool {
        self.get(token)
            .is_some_and(|member| core::mem::take(&mut member.ahead))
    }

    /// A member whose socket has gone to the host, or left it, since it was looked at: it and the host's descriptor of now.
    /// [`Members::put_back`] follows.
    pub fn take_moved(&mut self, token: Token) -> Option<(Member, Arc<Description>, Option<HostFd>)> {
        let member = self.get(token)?;
        let description = member.description.upgrade()?;
        let now = description.object_as::<IpSocket>()?.polled_descriptor();
        if member.host == now {
            return None;
        }
        let slot = self.slots.get_mut(token.slot as usize)?;
        Some((slot.member.take()?, description, now))
    }

    /// Puts a member back to where it was.
    pub fn put_back(&mut self, token: Token, member: Member) {
        if let Some(slot) = self.slots.get_mut(token.slot as usize) {
            slot.member = Some(member);
        }
    }

    /// The member that an event of the host's names, if the host may receive of it ahead.
    pub fn stream(&mut self, event: EpollEvent) -> Option<(Token, Arc<Description>)> {
        let token = Token::from_raw(event.data);
        let member = self.get(token).filter(|member| member.ahead)?;
        Some((token, member.description.upgrade()?))
    }

    /// Of the members of which the host has received ahead, those that the program has not read: they stay on the list. A level that
    /// lasts is told again.
    pub fn look_at_unread(&mut self, list: &mut Vec<Token>) {
        list.retain(|&token| {
            let is_unread = self.get(token).is_some_and(|member| {
                let description = member.description.upgrade();
                let socket = description.as_deref().and_then(host_stream);
                socket.is_some_and(InetSocket::is_unread)
            });
            if is_unread && let Some(watch) = self.level_watch(token) {
                watch.queue();
            }
            is_unread
        });
    }

    /// The open files that are watched.
    pub fn descriptions(&self) -> impl Iterator<Item = Arc<Description>> {
        let members = self.slots.iter().filter_map(|slot| slot.member.as_ref());
        members.filter_map(|member| member.description.upgrade())
    }
}

#[cfg(test)]
mod tests {
    use kobject::File;
    use linux_abi::OpenFlags;

    use super::*;
    use crate::eventfd::{EventFd, EventMode};

    fn file() -> Arc<Description> {
        let object: Arc<dyn File> = EventFd::new(0, EventMode::Counter);
        Description::new(object, OpenFlags::O_RDWR, b"")
    }

    fn event(events: u32, data: u64) -> EpollEvent {
        EpollEvent { events, data }
    }

    fn add(members: &mut Members, fd: u32, file: &Arc<Description>, asked: EpollEvent) -> Token {
        let token = members.next_token();
        let mut member = Member::new(fd, file, asked);
        member.host = HostFd::from_raw(10);
        members.insert(token, member);
        token
    }

    #[test]
    fn only_what_can_be_true_is_believed() {
        let (mut members, file) = (Members::default(), file());
        let token = add(&mut members, 3, &file, event(PollEvents::POLLIN.bits(), 77));
        let claim = |token: Token, events| event(events, token.raw());
        let believed = |members: &mut Members, claim| {
            members.begin_answer();
            match members.believe(claim) {
                Some(Believed::Event(event)) => Some(event),
                other => {
                    assert_eq!(other, None);
                    None
                }
            }
        };
        assert_eq!(believed(&mut members, claim(token, 0x1)), Some(event(1, 77)));
        assert_eq!(
            believed(&mut members, claim(token, 0x1d)),
            Some(event(0x19, 77)),
            "not asked for"
        );
        assert_eq!(believed(&mut members, claim(token, 0x4)), None);
        assert_eq!(believed(&mut members, event(1, 1)), None, "no such slot");
        assert_eq!(
            believed(&mut members, event(1, 1 << 32)),
            None,
            "another generation"
        );
        assert_eq!(believed(&mut members, event(1, u64::MAX)), None);
        let (_, renewed) = members.renew(token).unwrap();
        assert_eq!(
            believed(&mut members, claim(token, 1)),
            None,
            "said before the change"
        );
        assert_eq!(believed(&mut members, claim(renewed, 1)), Some(event(1, 77)));
        drop(file);
        assert_eq!(believed(&mut members, claim(renewed, 1)), None, "closed");
    }

    #[test]
    fn an_answer_has_one_event_of_a_member_however_often_the_host_says() {
        let (mut members, file) = (Members::default(), file());
        let token = add(&mut members, 3, &file, event(PollEvents::POLLIN.bits(), 5));
        let other = add(&mut members, 4, &file, event(PollEvents::POLLIN.bits(), 6));
        for _ in 0..2 {
            members.begin_answer();
            assert!(members.believe(event(1, token.raw())).is_some());
            assert!(members.believe(event(1, token.raw())).is_none());
            assert!(members.believe(event(1, other.raw())).is_some());
        }
    }

    #[test]
    fn what_the_host_says_of_a_member_that_is_told_of_goes_into_the_same_event() {
        let (mut members, file) = (Members::default(), file());
        let token = add(&mut members, 3, &file, event(0x5, 7));
        members.begin_answer();
        assert_eq!(members.tell(token, PollEvents::POLLIN, 2), Some(event(0x1, 7)));
        assert_eq!(
            members.believe(event(0x6, token.raw())),
            Some(Believed::Also(2, 0x4))
        );
        assert_eq!(members.believe(event(0x4, token.raw())), None);
        members.begin_answer();
        assert_eq!(
            members.believe(event(0x4, token.raw())),
            Some(Believed::Event(event(0x4, 7)))
        );
    }

    #[test]
    fn a_one_shot_member_is_reported_once_however_often_the_host_says() {
        let (mut members, file) = (Members::default(), file());
        let asked = event(PollEvents::POLLIN.bits() | EpollFlags::EPOLLONESHOT.bits(), 5);
        let token = add(&mut members, 3, &file, asked);
        members.begin_answer();
        assert!(members.believe(event(1, token.raw())).is_some());
        members.begin_answer();
        assert!(members.believe(event(1, token.raw())).is_none());
        let (member, token) = members.renew(token).unwrap();
        member.set(asked);
        members.begin_answer();
        assert!(members.believe(event(1, token.raw())).is_some());
    }

    #[test]
    fn members_of_closed_files_go_in_time() {
        let mut members = Members::default();
        let kept = file();
        add(&mut members, 0, &kept, event(1, 0));
        for fd in 1..1000 {
            add(&mut members, fd, &file(), event(1, 0));
        }
        assert!(members.slots.len() < 100, "{} slots", members.slots.len());
        assert!(members.find(0, &kept).is_some());
        assert!(members.find(1, &kept).is_none());
    }
}
