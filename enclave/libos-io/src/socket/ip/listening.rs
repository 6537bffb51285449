//! `listen` and `accept`.

use alloc::sync::Arc;
use core::net::SocketAddr;

use enclave_rt::thread;
use kobject::{Errno, How, Observer, Result, Wait, Waiter, remaining};
use linux_abi::PollEvents;

use super::binding::unspecified;
use super::endpoint::format;
use super::ports::Role;
use super::stream::{Progress, Stream};
use super::{IpSocket, Place};
use crate::NOW;
use crate::socket::{Caller, Socket, SocketAddress};

/// A thread that waits for one connection: it is enough to wake one of them.
struct Accepter(Arc<Waiter>);

impl Observer for Accepter {
    fn notify(&self, events: PollEvents) {
        self.0.notify(events);
    }

    fn take(&self, events: PollEvents) -> bool {
        self.0.take(events)
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

impl IpSocket {
    pub(super) fn listen_for(&self, backlog: u32, caller: Caller<'_>) -> Result<()> {
        let stream = self.stream().ok_or(Errno::EOPNOTSUPP)?;
        if stream.progress() != Progress::Idle {
            return Err(Errno::EINVAL);
        }
        let mut binding = self.binding.lock();
        if binding.lease.is_none() && !binding.is_of_host {
            if self.only_host().is_some() {
                // It is connected.
                return self.host()?.listen(backlog, caller);
            }
            binding.lease = Some(self.lease_of_both(SocketAddr::new(unspecified(self.domain), 0), caller)?);
            binding.is_of_host = true;
        }
        if let Some(lease) = &binding.lease {
            lease.change(Role::Listens, self.claim(lease.address).reuse_address)?;
            stream.listen(backlog);
        }
        if binding.is_of_host
            && let Err(error) = self.host()?.listen(backlog, caller)
        {
            stream.stop_listening();
            return Err(error);
        }
        let place = binding.place();
        drop(binding);
        self.set_place(place);
        // It is polled in another way now.
        self.queue.wake(PollEvents::all());
        Ok(())
    }

    /// Accepts a connection from inside or from the host, those from inside first; the host's turn comes all the same.
    pub(super) fn accept_one(&self, how: How) -> Result<(Arc<Self>, SocketAddress)> {
        let stream = self.stream().ok_or(Errno::EOPNOTSUPP)?;
        let deadline = self.timeouts.receive_deadline(how.nonblocking);
        let accepted = self.take_or_wait(stream, deadline);
        if deadline != NOW && stream.has_waiting() {
            // One who waits was told of this connection; another one has to be told of the next.
            self.queue.wake(PollEvents::READABLE);
        }
        accepted
    }

    fn take_or_wait(&self, stream: &Stream, deadline: Option<u64>) -> Result<(Arc<Self>, SocketAddress)> {
        let waiter = (deadline != NOW).then(Waiter::new);
        let accepter: Option<Arc<dyn Observer>> =
            waiter.clone().map(|waiter| Arc::new(Accepter(waiter)) as _);
        let _subscription = accepter.as_ref().map(|accepter| {
            self.queue
                .subscribe(PollEvents::READABLE, Arc::downgrade(accepter))
        });
        loop {
            if let Some(waiter) = &waiter {
                waiter.reset();
            }
            let host = self.polled_host();
            let asks_host_first = host.is_some() && stream.is_hosts_turn();
            if !asks_host_first && let Some(accepted) = self.take_inside(stream)? {
                return self.with_peer(accepted);
            }
            let Some(host) = host else {
                let waiter = waiter.as_ref().ok_or(Errno::EAGAIN)?;
                match waiter.sleep(deadline) {
                    Ok(()) => continue,
                    Err(Errno::ETIMEDOUT) => return Err(Errno::EAGAIN),
                    Err(error) => return Err(error),
                }
            };
            let limit = match &waiter {
                Some(_) if !asks_host_first && !thread::is_pending() => remaining(deadline),
                _ => Ok(Wait::NONE),
            };
            if let Some((accepted, claimed)) = host.accept_once(limit.unwrap_or(Wait::NONE))? {
                let peer = self.seen(claimed)?;
                return Ok((self.accepted_of_host(accepted, peer), peer));
            }
            if let Some(accepted) = self.take_inside(stream)? {
                return self.with_peer(accepted);
            }
            match &waiter {
                None => return Err(Errno::EAGAIN),
                Some(_) if limit.is_err() => return Err(Errno::EAGAIN),
                Some(_) if thread::is_pending() => return Err(Errno::EINTR),
                Some(_) => {}
            }
        }
    }

    /// What has connected inside, if anything. A socket that is bound at the host alone has nobody there.
    fn take_inside(&self, stream: &Stream) -> Result<Option<Arc<Self>>> {
        match stream.take(self) {
            Ok(accepted) => Ok(Some(accepted)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(Errno::EINVAL) if self.place() == Place::Host => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn with_peer(&self, accepted: Arc<Self>) -> Result<(Arc<Self>, SocketAddress)> {
        let connection = accepted
            .stream()
            .and_then(Stream::connection)
            .ok_or(Errno::ECONNABORTED)?;
        let peer = format(self.domain, connection.peer);
        Ok((accepted, peer))
    }
}
