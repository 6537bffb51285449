//! UDP inside the enclave: what has arrived at a socket, and the errors that ICMP would tell.
//!
//! A datagram that has no room is lost, as on Linux.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use kobject::{Errno, Mutex, Result, Sink, SpinLock};
use linux_abi::{AddressFamily, MessageFlags, OptionLevel, PollEvents};

use super::control;
use super::endpoint::format;
use crate::socket::control::Kinds;
use crate::socket::{Ancillary, Control, Received, Shutdown};

/// What a datagram counts for besides its bytes, so that empty ones are bounded as well.
const COST: usize = 768;
/// Bytes that may wait, if the program does not say (net.core.rmem_default).
const BUFFER: usize = 212_992;
/// Errors that may wait.
const MAX_ERRORS: usize = 64;

/// A socket's part of it.
pub(super) struct Datagrams {
    arrived: Mutex<Arrived>,
    /// The peer inside that it is connected to.
    peer: SpinLock<Option<SocketAddr>>,
    /// It is connected to a peer outside, so it hears nobody inside.
    hears_nobody: AtomicBool,
    /// An error that waits to be told; 0 for none.
    error: AtomicU32,
    errors: Mutex<VecDeque<Packet>>,
    /// The control data that it asks for now.
    asked: AtomicU32,
    buffer: AtomicUsize,
    reads_no_more: AtomicBool,
    sends_no_more: AtomicBool,
}

#[derive(Default)]
struct Arrived {
    packets: VecDeque<Packet>,
    size: usize,
    /// How many were lost for want of room.
    lost: u32,
}

/// A datagram.
#[derive(Clone)]
pub(super) struct Packet {
    pub bytes: Box<[u8]>,
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// If it is several in one: bytes of each but the last.
    pub segment: Option<u16>,
    /// When it was sent: nanoseconds of the date.
    pub time: u64,
}

impl Datagrams {
    pub fn new() -> Self {
        Self {
            arrived: Mutex::new(Arrived::default()),
            peer: SpinLock::new(None),
            hears_nobody: AtomicBool::new(false),
            error: AtomicU32::new(0),
            errors: Mutex::new(VecDeque::new()),
            asked: AtomicU32::new(0),
            buffer: AtomicUsize::new(BUFFER),
            reads_no_more: AtomicBool::new(false),
            sends_no_more: AtomicBool::new(false),
        }
    }

    /// SO_RCVBUF, in bytes that may wait.
    pub fn set_buffer(&self, size: usize) {
        self.buffer.store(size, Ordering::Relaxed);
    }

    pub fn asked(&self) -> Kinds {
        Kinds::from_bits_truncate(self.asked.load(Ordering::Relaxed))
    }

    /// Asks for control data, or no more for it.
    pub fn ask(&self, kinds: Kinds, on: bool) {
        let exclusive = Kinds::TIMESTAMP | Kinds::TIMESTAMPNS;
        let mut asked = self.asked();
        if kinds.intersects(exclusive) {
            asked -= exclusive;
        }
        asked.set(kinds, on);
        self.asked.store(asked.bits(), Ordering::Relaxed);
    }

    pub fn peer(&self) -> Option<SocketAddr> {
        *self.peer.lock()
    }

    /// Connects to a peer inside, to one outside, or to none.
    pub fn connect(&self, peer: Option<SocketAddr>, outside: bool) {
        *self.peer.lock() = peer;
        self.hears_nobody.store(outside, Ordering::Relaxed);
    }

    /// Whether it is connected to a peer outside.
    pub fn is_connected_outside(&self) -> bool {
        self.hears_nobody.load(Ordering::Relaxed)
    }

    /// How gladly it hears a sender: 0 if not at all, 2 if it hears nobody else.
    pub fn hears(&self, from: SocketAddr) -> u32 {
        match self.peer() {
            _ if self.is_connected_outside() => 0,
            None => 1,
            Some(peer) if peer == from => 2,
            Some(_) => 0,
        }
    }

    /// Takes datagrams, as far as there is room. Several in one are taken apart unless it asks for them so (UDP_GRO).
    pub fn arrive(&self, packet: Packet) {
        let whole = self.asked().contains(Kinds::SEGMENTS);
        let each = match packet.segment {
            Some(size) if !whole => usize::from(size).max(1),
            _ => packet.bytes.len().max(1),
        };
        let mut arrived = self.arrived.lock();
        if packet.bytes.len() <= each {
            return arrived.add(packet, self.buffer.load(Ordering::Relaxed));
        }
        for part in packet.bytes.chunks(each) {
            let packet = Packet {
                bytes: part.into(),
                segment: None,
                ..packet.clone()
            };
            arrived.add(packet, self.buffer.load(Ordering::Relaxed));
        }
    }

    /// Nobody was where a datagram of this socket was sent to: an error for who is connected or asks for it.
    pub fn refuse(&self, packet: Packet) {
        let wants_errors = self.asked().intersects(Kinds::ERRORS | Kinds::ERRORS_6);
        if wants_errors {
            let mut errors = self.errors.lock();
            if errors.len() < MAX_ERRORS {
                errors.push_back(packet);
            }
        }
        if wants_errors || self.peer().is_some() {
            self.error
                .store(Errno::ECONNREFUSED.raw().into(), Ordering::Relaxed);
        }
    }

    /// An error that waits to be told.
    pub fn take_error(&self) -> Option<Errno> {
        if self.error.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Errno::from_raw(self.error.swap(0, Ordering::Relaxed).into())
    }

    /// Bytes of the first datagram.
    pub fn unread(&self) -> usize {
        let arrived = self.arrived.lock();
        arrived.packets.front().map_or(0, |packet| packet.bytes.len())
    }

    pub fn has_arrived(&self) -> bool {
        !self.arrived.lock().packets.is_empty()
    }

    /// Receives a datagram, as a socket of the family `domain`. EAGAIN if there is none; nothing if it was shut down, and who asks
    /// `may_wait`.
    pub fn receive(
        &self,
        domain: AddressFamily,
        to: &mut dyn Sink,
        flags: MessageFlags,
        may_wait: bool,
    ) -> Result<Received> {
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        let mut arrived = self.arrived.lock();
        let Some(packet) = arrived.packets.front() else {
            return match self.reads_no_more.load(Ordering::Relaxed) && may_wait {
                true => Ok(Received::default()),
                false => Err(Errno::EAGAIN),
            };
        };
        let count = packet.bytes.len().min(to.room());
        to.put(packet.bytes.get(..count).unwrap_or_default())?;
        let is_cut = count < packet.bytes.len();
        let mut received = Received {
            len: match flags.contains(MessageFlags::MSG_TRUNC) {
                true => packet.bytes.len(),
                false => count,
            },
            address: Some(format(domain, packet.from)),
            ancillary: Ancillary {
                network: control::of_packet(domain, packet, self.asked(), arrived.lost),
                ..Ancillary::default()
            },
            ..Received::default()
        };
        received.flags.set(MessageFlags::MSG_TRUNC, is_cut);
        if !flags.contains(MessageFlags::MSG_PEEK) {
            arrived.drop_first();
        }
        Ok(received)
    }

    /// Receives an error of the queue (MSG_ERRQUEUE): the datagram that was lost, and why. EAGAIN if there is none.
    pub fn receive_error(&self, domain: AddressFamily, to: &mut dyn Sink) -> Result<Received> {
        let packet = self.errors.lock().pop_front().ok_or(Errno::EAGAIN)?;
        let count = packet.bytes.len().min(to.room());
        to.put(packet.bytes.get(..count).unwrap_or_default())?;
        let mut flags = MessageFlags::MSG_ERRQUEUE;
        flags.set(MessageFlags::MSG_TRUNC, count < packet.bytes.len());
        Ok(Received {
            len: count,
            address: Some(format(domain, packet.to)),
            flags,
            ancillary: Ancillary {
                network: control::of_refusal(domain, packet.to.ip()),
                ..Ancillary::default()
            },
        })
    }

    pub fn shutdown(&self, which: Shutdown) {
        if which.reads() {
            self.reads_no_more.store(true, Ordering::Relaxed);
        }
        if which.writes() {
            self.sends_no_more.store(true, Ordering::Relaxed);
        }
    }

    pub fn sends_no_more(&self) -> bool {
        self.sends_no_more.load(Ordering::Relaxed)
    }

    /// What polling says.
    pub fn poll(&self) -> PollEvents {
        let mut events = PollEvents::WRITABLE;
        let ends = self.reads_no_more.load(Ordering::Relaxed);
        if ends || self.has_arrived() {
            events |= PollEvents::READABLE;
        }
        if ends {
            events |= PollEvents::POLLRDHUP;
        }
        if ends && self.sends_no_more() {
            events |= PollEvents::POLLHUP;
        }
        if self.error.load(Ordering::Relaxed) != 0 || !self.errors.lock().is_empty() {
            events |= PollEvents::POLLERR;
        }
        events
    }
}

impl Arrived {
    fn add(&mut self, packet: Packet, most: usize) {
        let size = packet.bytes.len() + COST;
        if self.size > 0 && self.size + size > most {
            self.lost = self.lost.wrapping_add(1);
            return;
        }
        self.size += size;
        self.packets.push_back(packet);
    }

    fn drop_first(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.size -= packet.bytes.len() + COST;
        }
    }
}

/// Control data that goes along with a datagram from here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sending {
    /// Where it comes from.
    pub source: Option<IpAddr>,
    pub ttl: Option<u8>,
    pub tos: Option<u8>,
    /// Bytes of each datagram, if it is several.
    pub segment: Option<u16>,
}

impl Sending {
    /// From control data that was found to be valid.
    pub fn new(controls: &[Control]) -> Self {
        let mut sending = Self::default();
        for Control { level, kind, data } in controls {
            control::send_with(&mut sending, *level, *kind, data);
        }
        sending
    }
}

/// The level of options of a family.
pub(super) fn level(domain: AddressFamily) -> OptionLevel {
    match domain {
        AddressFamily::AF_INET => OptionLevel::SOL_IP,
        _ => OptionLevel::SOL_IPV6,
    }
}

/// Most bytes of one datagram: what IP has room for.
pub(super) fn most(domain: AddressFamily) -> usize {
    match domain {
        AddressFamily::AF_INET => 65_507,
        _ => 65_527,
    }
}

/// All of `from`.
pub(super) fn bytes(from: &mut dyn kobject::Source) -> Result<Box<[u8]>> {
    let mut bytes: Vec<u8> = alloc::vec![0; from.left()];
    from.take(&mut bytes)?;
    Ok(bytes.into())
}
