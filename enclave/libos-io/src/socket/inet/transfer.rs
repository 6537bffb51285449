//! Sending and receiving through a socket of the host's.

use core::sync::atomic::Ordering;

use alloc::vec;

use enclave_rt::call;
use host_abi::{CONTROL_OFFSET, MAX_CONTROL, Recv, Send, Wanted};
use kobject::{Errno, How, Result, Sink, Source};
use linux_abi::MessageFlags;

use super::{InetSocket, stage_address};
use crate::NOW;
use crate::host::{call_until, send_staged};
use crate::socket::control::{self, Kinds};
use crate::socket::{Ancillary, MAX_ADDRESS, Outgoing, Received, SocketKind};

/// The flags that the host is told of.
const SEND_FLAGS: MessageFlags = MessageFlags::MSG_OOB
    .union(MessageFlags::MSG_DONTROUTE)
    .union(MessageFlags::MSG_EOR)
    .union(MessageFlags::MSG_CONFIRM)
    .union(MessageFlags::MSG_MORE);
const RECEIVE_FLAGS: MessageFlags = MessageFlags::MSG_OOB
    .union(MessageFlags::MSG_PEEK)
    .union(MessageFlags::MSG_TRUNC)
    .union(MessageFlags::MSG_ERRQUEUE);
/// The flags of a result that the host may tell.
const RESULT_FLAGS: MessageFlags = MessageFlags::MSG_OOB
    .union(MessageFlags::MSG_TRUNC)
    .union(MessageFlags::MSG_CTRUNC)
    .union(MessageFlags::MSG_EOR)
    .union(MessageFlags::MSG_ERRQUEUE);

impl InetSocket {
    pub(super) fn send_message(
        &self,
        from: &mut dyn Source,
        message: &Outgoing<'_>,
        how: How,
    ) -> Result<usize> {
        let nonblocking = how.nonblocking || message.flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.send_deadline(nonblocking);
        let flags = (message.flags & SEND_FLAGS).bits();
        let control = control::encode(&message.ancillary.network)?;
        match self.kind {
            // As on Linux, a connected stream does not look at a destination, nor at what is of the network.
            SocketKind::Stream => self.send_stream(from, flags, deadline),
            _ => self.send_datagram(from, flags, message.address, &control, deadline),
        }
    }

    fn send_stream(&self, from: &mut dyn Source, flags: u32, deadline: Option<u64>) -> Result<usize> {
        let fd = self.fd();
        self.take_error()?;
        if flags == 0
            && let Some(posted) = self.post(from)
        {
            return posted;
        }
        let mut done = 0;
        loop {
            let len = from.left().min(Send::MAX_LEN);
            let staged = call::staging().part(MAX_ADDRESS, len);
            from.take_untrusted(staged)?;
            let (count, end) = send_staged(staged, deadline, |len, wait| Send {
                fd,
                len,
                flags,
                address_len: 0,
                control_len: 0,
                wait,
            });
            done += count;
            if count > 0 {
                self.posting.allow();
            }
            match end {
                Err(error) if done == 0 => return Err(error),
                Ok(()) if count == len && from.left() > 0 => {}
                _ => return Ok(done),
            }
        }
    }

    fn send_datagram(
        &self,
        from: &mut dyn Source,
        flags: u32,
        address: Option<&[u8]>,
        control: &[u8],
        deadline: Option<u64>,
    ) -> Result<usize> {
        let len = from.left();
        if len > Send::MAX_LEN {
            return Err(Errno::EMSGSIZE);
        }
        let address_len = address.map_or(Ok(0), stage_address)?;
        call::staging().part(CONTROL_OFFSET, control.len()).write(control);
        from.take_untrusted(call::staging().part(MAX_ADDRESS, len))?;
        let fd = self.fd();
        let sent = call_until(deadline, |wait| Send {
            fd,
            len,
            flags,
            address_len,
            control_len: control.len(),
            wait,
        })?;
        // A datagram goes whole or not at all.
        if sent == len { Ok(sent) } else { Err(Errno::EIO) }
    }

    pub(super) fn receive_message(
        &self,
        to: &mut dyn Sink,
        flags: MessageFlags,
        how: How,
    ) -> Result<Received> {
        // The queue of errors gives messages, also at a stream, and never waits.
        let from_errors = flags.contains(MessageFlags::MSG_ERRQUEUE);
        let nonblocking = how.nonblocking || flags.contains(MessageFlags::MSG_DONTWAIT) || from_errors;
        let deadline = self.timeouts.receive_deadline(nonblocking);
        let mut asked = self.asked();
        if from_errors {
            asked |= Kinds::ERRORS | Kinds::ERRORS_6;
        }
        let wanted = self.wanted(flags, asked);
        if self.kind == SocketKind::Stream && !from_errors {
            return self.receive_stream(to, flags, wanted, asked, deadline);
        }
        let len = to.room().min(Recv::MAX_LEN);
        let received = self.receive_once(len, 0, flags, wanted, deadline)?;
        let is_end = received.len == 0 && self.receiving_ends.load(Ordering::Relaxed);
        let address = match received.address_len {
            // The end of a socket that is shut down comes from nobody; so do some errors.
            0 if is_end || from_errors => None,
            len => Some(self.staged_address(len)?),
        };
        to.put_untrusted(call::staging().part(MAX_ADDRESS, received.len))?;
        Ok(Received {
            len: received.full_len,
            address,
            flags: MessageFlags::from_bits_truncate(received.flags) & RESULT_FLAGS,
            ancillary: ancillary(&received, asked)?,
        })
    }

    /// A stream gives what is there once that is as much as SO_RCVLOWAT says, or all that is asked for with MSG_WAITALL; what there is
    /// at its end, at an error, after the deadline, or when a signal comes (tcp_recvmsg of the kernel).
    fn receive_stream(
        &self,
        to: &mut dyn Sink,
        flags: MessageFlags,
        wanted: Wanted,
        asked: Kinds,
        deadline: Option<u64>,
    ) -> Result<Received> {
        self.ahead.settle(self.fd())?;
        let peeks = flags.contains(MessageFlags::MSG_PEEK);
        // With MSG_TRUNC the data is dropped instead of given.
        let drops = flags.contains(MessageFlags::MSG_TRUNC);
        let total = to.room();
        let waits_for_all = flags.contains(MessageFlags::MSG_WAITALL);
        let fills = waits_for_all && !peeks;
        // Taken once it is there: peeking again would give the same bytes, and the host's socket tells of new bytes only when there
        // are as many as SO_RCVLOWAT says.
        let least = match waits_for_all {
            true if fills => 0,
            true => total,
            false => total.min(self.least.load(Ordering::Relaxed) as usize),
        };
        let mut result = Received::default();
        if !flags.contains(MessageFlags::MSG_OOB)
            && let Some(count) = self.ahead.take(to, peeks, drops)?
        {
            result.len = count;
            if count == 0 || count >= total || !waits_for_all && count >= least {
                return Ok(result);
            }
        }
        if result.len == 0 {
            self.take_error()?;
            if deadline == NOW && !flags.intersects(RECEIVE_FLAGS) && self.ahead.was_just_emptied() {
                return Err(Errno::EAGAIN);
            }
        }
        loop {
            let len = (total - result.len).min(Recv::MAX_LEN);
            let least = least.saturating_sub(result.len).min(len);
            let received = match self.receive_once(len, least, flags, wanted, deadline) {
                Err(error) if result.len > 0 => {
                    if !matches!(error, Errno::EAGAIN | Errno::EINTR) {
                        self.error.store(error.raw().into(), Ordering::Relaxed);
                    }
                    return Ok(result);
                }
                received => received?,
            };
            if received.full_len > len {
                // Only a datagram can be longer than the room.
                return Err(Errno::EIO);
            }
            if !drops {
                to.put_untrusted(call::staging().part(MAX_ADDRESS, received.len))?;
            }
            result.flags = MessageFlags::from_bits_truncate(received.flags) & RESULT_FLAGS;
            result.ancillary = ancillary(&received, asked)?;
            result.len += received.full_len;
            if !fills || result.len >= total || received.full_len == 0 {
                return Ok(result);
            }
        }
    }

    /// An error that is waiting to be told.
    fn take_error(&self) -> Result<()> {
        // Not always a swap: a locked instruction takes long, and there is hardly ever one.
        if self.error.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        match Errno::from_raw(self.error.swap(0, Ordering::Relaxed).into()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What the host is to tell: of what a stream gives, only urgent data is marked.
    fn wanted(&self, flags: MessageFlags, asked: Kinds) -> Wanted {
        let is_plain = self.kind == SocketKind::Stream && !flags.contains(MessageFlags::MSG_OOB);
        match () {
            () if !asked.is_empty() => Wanted::Control,
            () if is_plain => Wanted::Data,
            () => Wanted::Message,
        }
    }

    fn receive_once(
        &self,
        len: usize,
        least: usize,
        flags: MessageFlags,
        wanted: Wanted,
        deadline: Option<u64>,
    ) -> Result<host_abi::Received> {
        call_until(deadline, |wait| Recv {
            fd: self.fd(),
            len,
            flags: (flags & RECEIVE_FLAGS).bits(),
            wait,
            wanted,
            least,
        })
    }
}

/// The control data that has come with a message.
fn ancillary(received: &host_abi::Received, asked: Kinds) -> Result<Ancillary> {
    let mut bytes = vec![0; received.control_len.min(MAX_CONTROL)];
    call::staging().part(CONTROL_OFFSET, bytes.len()).read(&mut bytes);
    Ok(Ancillary {
        network: control::parse(&bytes, asked)?,
        ..Ancillary::default()
    })
}
