//! Receiving ahead: what has come on a readable stream goes into the enclave together with the event that tells of it.
//!
//! Descriptors are used anew once they are closed. So what a stream's number and its event belong to is looked up, and data is
//! received, under the lock of its epoll instance; and nobody closes a stream of that instance meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use host_abi::{EpollControl, EpollEvent, EpollOperation, EpollWait, HostFd, ReadyEvent};

use super::Staging;
use crate::kernel;

/// After a stream has filled its room, so many of its events come without data: its reader asks for more at once than comes ahead.
const LEFT_TO_THE_READER: u32 = 16;

const NOTHING: i64 = kernel::error(libc::EAGAIN);

/// The streams of which data may be received ahead.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    instances: RwLock<HashMap<HostFd, Arc<Mutex<Instance>>>>,
    places: RwLock<HashMap<HostFd, Place>>,
}

/// Where a stream is.
#[derive(Clone, Copy, Debug)]
struct Place {
    epoll: HostFd,
    /// Of its events.
    data: u64,
}

/// The streams of an epoll instance, by the data of their events.
#[derive(Debug, Default)]
struct Instance(HashMap<u64, Stream>);

#[derive(Debug)]
struct Stream {
    fd: HostFd,
    /// How often there was something to receive ahead.
    count: i64,
    /// How many events are still left to the reader.
    left_to_reader: u32,
}

// A poisoned lock is taken all the same: each change is a single insertion or removal.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Ahead {
    fn instance(&self, epoll: HostFd) -> Option<Arc<Mutex<Instance>>> {
        read(&self.instances).get(&epoll).cloned()
    }

    /// Changes an instance as `change` does, and what is known of its streams with it.
    pub(super) fn control(&self, call: EpollControl, change: impl FnOnce() -> i64) -> i64 {
        if call.operation == EpollOperation::Add {
            let result = change();
            if result == 0 && call.ahead {
                let stream = Stream {
                    fd: call.fd,
                    count: 0,
                    left_to_reader: 0,
                };
                let instance = write(&self.instances).entry(call.epoll).or_default().clone();
                self.put(call, stream, &mut lock(&instance));
            }
            return result;
        }
        let Some(instance) = self.instance(call.epoll) else {
            return change();
        };
        let mut instance = lock(&instance);
        let result = change();
        if let Some(stream) = self.take(call.epoll, call.fd, &mut instance)
            && call.operation == EpollOperation::Modify
            && call.ahead
        {
            self.put(call, stream, &mut instance);
        }
        result
    }

    fn put(&self, call: EpollControl, stream: Stream, instance: &mut Instance) {
        let place = Place {
            epoll: call.epoll,
            data: call.data,
        };
        instance.0.insert(call.data, stream);
        write(&self.places).insert(call.fd, place);
    }

    fn take(&self, epoll: HostFd, fd: HostFd, instance: &mut Instance) -> Option<Stream> {
        let mut places = write(&self.places);
        let place = places.remove(&fd)?;
        if place.epoll != epoll {
            places.insert(fd, place);
            return None;
        }
        instance.0.remove(&place.data)
    }

    /// Receives ahead no more of a stream; gives how often there was something.
    pub(super) fn stop(&self, fd: HostFd) -> i64 {
        let Some(place) = read(&self.places).get(&fd).copied() else {
            return 0;
        };
        let Some(instance) = self.instance(place.epoll) else {
            return 0;
        };
        let stream = self.take(place.epoll, fd, &mut lock(&instance));
        stream.map_or(0, |stream| stream.count)
    }

    /// A descriptor is about to be closed.
    pub(super) fn close(&self, fd: HostFd) {
        self.stop(fd);
        if self.instance(fd).is_some() {
            write(&self.instances).remove(&fd);
        }
    }

    /// Receives what the streams have that these events are of, but for those whose data words are `held`: the results of `recv`, in the
    /// order of the events. The data goes to where [`EpollWait`] says.
    pub(super) fn receive(
        &self,
        call: EpollWait,
        held: &[u64],
        events: impl Iterator<Item = EpollEvent>,
        staging: Staging,
    ) -> Vec<i64> {
        let Some(instance) = self.instance(call.epoll).filter(|_| call.ahead > 0) else {
            return Vec::new();
        };
        let mut streams = lock(&instance);
        let mut used = 0;
        let receive = |event: EpollEvent| {
            let stream = streams.0.get_mut(&event.data);
            let Some(stream) = stream.filter(|_| is_readable(event.events) && !held.contains(&event.data))
            else {
                return NOTHING;
            };
            let room = (call.ahead - used).min(ReadyEvent::MAX_LEN);
            if stream.left_to_reader > 0 || room == 0 {
                stream.left_to_reader = stream.left_to_reader.saturating_sub(1);
                return NOTHING;
            }
            let at = staging.address() + (host_abi::AHEAD_OFFSET + used) as u64;
            let args = [
                stream.fd.raw().into(),
                at,
                room as u64,
                libc::MSG_DONTWAIT as u64,
                0,
                0,
            ];
            // SAFETY: writes to the staging buffer: `EpollWait` bounds what is received ahead to it.
            let result = unsafe { kernel::syscall(libc::SYS_recvfrom, args) };
            if result != NOTHING {
                stream.count += 1;
            }
            if let Ok(len) = usize::try_from(result) {
                used = call
                    .ahead
                    .min((used + len).next_multiple_of(ReadyEvent::ALIGNMENT));
                if len == room {
                    stream.left_to_reader = LEFT_TO_THE_READER;
                }
            }
            result
        };
        events.map(receive).collect()
    }
}

/// Whether there is data and nothing else: what goes with an error is left to who asks for it.
fn is_readable(events: u32) -> bool {
    let but = libc::EPOLLIN | libc::EPOLLERR | libc::EPOLLHUP;
    events & but as u32 == libc::EPOLLIN as u32
}
