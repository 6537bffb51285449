//! An [`IpSocket`] as a [`Socket`] and as a [`File`].

use alloc::sync::{Arc, Weak};
use core::any::Any;

use host_abi::HostFd;
use kobject::{Attributes, Errno, File, FileKind, How, Observer, Result, Sink, Source, Stat, Subscription};
use linux_abi::{AddressFamily, Ioctl, MessageFlags, OptionLevel, PollEvents, SocketOption, TcpOption};

use super::connection::Leave;
use super::datagram::Datagrams;
use super::endpoint::format;
use super::stream::Stream;
use super::{Inside, IpSocket, Place, options, tcp_info};
use crate::anonymous;
use crate::socket::control::Kinds;
use crate::socket::option::{self, Timeouts, int, put, put_int};
use crate::socket::{
    Caller, Identity, Outgoing, Received, Shutdown, Socket, SocketAddress, SocketKind, interfaces,
};

impl Socket for IpSocket {
    fn domain(&self) -> AddressFamily {
        self.domain
    }

    fn kind(&self) -> SocketKind {
        self.kind()
    }

    fn bind(&self, address: &[u8], caller: Caller<'_>) -> Result<()> {
        self.bind_to(address, caller)
    }

    fn connect(&self, address: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        self.connect_to(address, how, caller)
    }

    fn listen(&self, backlog: u32, caller: Caller<'_>) -> Result<()> {
        self.listen_for(backlog, caller)
    }

    fn accept(&self, how: How) -> Result<(Arc<dyn File>, SocketAddress)> {
        let (accepted, peer) = self.accept_one(how)?;
        Ok((accepted, peer))
    }

    fn send(
        &self,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Caller<'_>,
    ) -> Result<usize> {
        self.send_message(from, message, how, Some(caller))
    }

    fn receive(&self, to: &mut dyn Sink, flags: MessageFlags, how: How) -> Result<Received> {
        self.receive_message(to, flags, how)
    }

    fn shutdown(&self, which: Shutdown) -> Result<()> {
        if let Some(host) = self.only_host() {
            return host.shutdown(which);
        }
        match &self.inside {
            Inside::Tcp(stream) => {
                if let Some(connection) = stream.connection() {
                    return connection.shutdown(which);
                }
                if !stream.is_listening() {
                    return Err(Errno::ENOTCONN);
                }
                if which.reads() {
                    if let Some(host) = self.polled_host() {
                        host.shutdown(which)?;
                    }
                    stream.stop_listening();
                    self.queue.wake(PollEvents::all());
                }
                Ok(())
            }
            Inside::Udp(datagrams) => {
                datagrams.shutdown(which);
                self.queue.wake(PollEvents::all());
                match datagrams.peer() {
                    Some(_) => Ok(()),
                    None => Err(Errno::ENOTCONN),
                }
            }
        }
    }

    fn own_address(&self) -> Result<SocketAddress> {
        match self.only_host() {
            Some(host) => host.own_address(),
            None => Ok(format(self.domain, self.inside_address())),
        }
    }

    fn peer_address(&self) -> Result<SocketAddress> {
        if let Some(host) = self.only_host() {
            // Whether there is one, the host says; which, this end knows.
            let claimed = host.peer_address()?;
            return match *self.host_peer.lock() {
                Some(peer) => Ok(peer),
                None => self.seen(claimed),
            };
        }
        let peer = match &self.inside {
            Inside::Tcp(stream) => {
                let connection = stream.connection().filter(|connection| !connection.is_over());
                connection.map(|connection| connection.peer)
            }
            Inside::Udp(datagrams) => datagrams.peer(),
        };
        Ok(format(self.domain, peer.ok_or(Errno::ENOTCONN)?))
    }

    fn option(&self, level: OptionLevel, name: u32, out: &mut [u8]) -> Result<usize> {
        if level == OptionLevel::SOL_SOCKET {
            let option = SocketOption(name);
            let listens = || self.stream().is_some_and(Stream::is_listening);
            let known = match option {
                SocketOption::SO_TYPE => Some(self.kind() as u32),
                SocketOption::SO_DOMAIN => Some(self.domain.0.into()),
                SocketOption::SO_PROTOCOL => Some(self.transport as u32),
                SocketOption::SO_ACCEPTCONN if self.only_host().is_none() => Some(listens().into()),
                _ => None,
            };
            if let Some(value) = known {
                return Ok(put_int(out, value));
            }
            if option == SocketOption::SO_PEERCRED {
                return Ok(put(out, &Identity::UNKNOWN.to_bytes()));
            }
            if let Some(len) = self.timeouts.option(option, out) {
                return Ok(len);
            }
        }
        if let Some(len) = option::of_administrator(level, name, out) {
            return Ok(len);
        }
        if let Some(host) = self.only_host() {
            return host.option(level, name, out);
        }
        if let Some(len) = self.option_inside(level, name, out)? {
            return Ok(len);
        }
        if let Some(len) = self.options.get((self.domain, self.transport), level, name, out) {
            return Ok(len);
        }
        let unknown = option::unknown(self.domain, self.kind(), level);
        if !option::may_pass(level, name) || unknown == Errno::EOPNOTSUPP {
            return Err(unknown);
        }
        // What only a kernel knows, such as the groups of multicast.
        self.host()?.option(level, name, out)
    }

    fn set_option(&self, level: OptionLevel, name: u32, value: &[u8]) -> Result<()> {
        if level == OptionLevel::SOL_SOCKET
            && let Some(done) = self.timeouts.set_option(SocketOption(name), value)
        {
            return done;
        }
        option::check_administrator(level, name, value)?;
        let asked = Kinds::asked_by(level, name, value)?;
        let is_kept = self
            .options
            .set((self.domain, self.transport), level, name, value)?;
        match self.host.get() {
            Some(host) => host.set_option(level, name, value)?,
            None if !is_kept => self.host()?.set_option(level, name, value)?,
            None => {}
        }
        self.take_effect(level, name, value, asked)
    }

    fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}

impl IpSocket {
    /// Reads what only the state inside knows; `None` for other options.
    fn option_inside(&self, level: OptionLevel, name: u32, out: &mut [u8]) -> Result<Option<usize>> {
        match level {
            OptionLevel::SOL_SOCKET if SocketOption(name) == SocketOption::SO_ERROR => {
                let error = match &self.inside {
                    Inside::Tcp(stream) => stream.take_error(),
                    Inside::Udp(datagrams) => datagrams.take_error(),
                };
                match (error, self.polled_host()) {
                    (None, Some(host)) => host.option(level, name, out).map(Some),
                    (error, _) => Ok(Some(put_int(out, error.map_or(0, |error| error.raw().into())))),
                }
            }
            OptionLevel::SOL_SOCKET if SocketOption(name) == SocketOption::SO_COOKIE => {
                if out.len() < size_of::<u64>() {
                    return Err(Errno::EINVAL);
                }
                Ok(Some(put(out, &self.inode.to_ne_bytes())))
            }
            OptionLevel::SOL_TCP if TcpOption(name) == TcpOption::TCP_INFO => {
                Ok(self.stream().map(|stream| put(out, &tcp_info::bytes(stream))))
            }
            OptionLevel::SOL_TCP if TcpOption(name) == TcpOption::TCP_MAXSEG => Ok(self
                .stream()
                .map(|stream| put_int(out, tcp_info::segment(stream)))),
            _ => Ok(None),
        }
    }

    /// Lets an option that was set change what happens inside.
    fn take_effect(&self, level: OptionLevel, name: u32, value: &[u8], asked: Kinds) -> Result<()> {
        if let Some(datagrams) = self.datagrams()
            && !asked.is_empty()
        {
            datagrams.ask(asked, value.iter().take(4).any(|&byte| byte != 0));
        }
        if level != OptionLevel::SOL_SOCKET {
            return Ok(());
        }
        let size = |name| int(value).map(|size| options::doubled(size, name) as usize);
        match SocketOption(name) {
            SocketOption::SO_SNDBUF => {
                if let Some(stream) = self.stream() {
                    stream.set_buffers(Some(size(name)?), None);
                    self.queue.wake(PollEvents::WRITABLE);
                }
            }
            SocketOption::SO_RCVBUF => match &self.inside {
                Inside::Tcp(stream) => stream.set_buffers(None, Some(size(name)?)),
                Inside::Udp(datagrams) => datagrams.set_buffer(size(name)?),
            },
            SocketOption::SO_RCVLOWAT => {
                if let Some(stream) = self.stream() {
                    // As Linux has it: a negative one is the most, and 0 is 1.
                    let least = int(value)?.min(i32::MAX.cast_unsigned()).max(1);
                    stream.set_least(least as usize);
                    self.queue.wake(PollEvents::READABLE);
                }
            }
            SocketOption::SO_OOBINLINE => {
                if let Some(connection) = self.stream().and_then(Stream::connection) {
                    connection.set_urgent_in_line(int(value)? != 0);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl File for IpSocket {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        let stat = anonymous::stat(FileKind::Socket, 0o777, self.inode)?;
        Ok(self.attributes.apply(stat))
    }

    fn attributes(&self) -> Option<&Attributes> {
        Some(&self.attributes)
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if to.room() == 0 {
            return Ok(0);
        }
        Ok(self.receive_message(to, MessageFlags::empty(), how)?.len)
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        Ok((self.send_message(from, Outgoing::default(), how, None)?, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let mut events = match (self.only_host(), &self.inside) {
            (Some(_), _) => PollEvents::empty(),
            (None, Inside::Udp(datagrams)) => datagrams.poll(),
            (None, Inside::Tcp(stream)) if stream.is_listening() => match stream.has_waiting() {
                true => PollEvents::READABLE,
                false => PollEvents::empty(),
            },
            (None, Inside::Tcp(stream)) => stream.poll(),
        };
        if let Some(host) = self.polled_host() {
            events |= host.poll(interest);
        }
        events & (interest | PollEvents::UNASKED)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.queue.subscribe(interest, observer))
    }

    fn host_fd(&self) -> Option<HostFd> {
        self.polled_host().and_then(|host| host.host_fd())
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        let inside = match (self.place(), self.host.get()) {
            (Place::Host, Some(host)) => return host.ioctl(request, argument),
            _ => &self.inside,
        };
        let answer = match (request, inside) {
            (Ioctl::FIONREAD, Inside::Tcp(stream)) if stream.is_listening() => return Err(Errno::EINVAL),
            (Ioctl::FIONREAD, Inside::Tcp(stream)) => {
                stream.connection().map_or(0, |connection| connection.unread())
            }
            (Ioctl::FIONREAD, Inside::Udp(datagrams)) => {
                match (datagrams.has_arrived(), self.polled_host()) {
                    (false, Some(host)) => return host.ioctl(request, argument),
                    _ => Datagrams::unread(datagrams),
                }
            }
            (Ioctl::TIOCOUTQ, Inside::Tcp(stream)) => {
                stream.connection().map_or(0, |connection| connection.unsent())
            }
            (Ioctl::TIOCOUTQ, Inside::Udp(_)) => 0,
            (Ioctl::SIOCATMARK, Inside::Tcp(stream)) => usize::from(
                stream
                    .connection()
                    .is_some_and(|connection| connection.is_at_mark()),
            ),
            _ => return interfaces::ioctl(self.domain, request, argument),
        };
        anonymous::answer_int(argument, answer)
    }

    fn close(&self) {
        self.leave(Leave::InOrder);
    }
}
