//! `poll`, and with it `ppoll`, `select` and `pselect`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_rt::{call, thread};
use host_abi::{HostFd, Poll, PollEntry};
use kobject::{Description, Errno, Result, Wait, Waiter, remaining};
use linux_abi::PollEvents;

use crate::NOW;
use crate::host::call_once;

/// One of the objects that a `poll` asks about.
pub struct PollItem {
    /// The open file; `None` for a descriptor that is negative or not open.
    pub description: Option<Arc<Description>>,
    /// What is asked for.
    pub interest: PollEvents,
    /// What is the case. Without an open file it stays as it is: the caller leaves NVAL there for a
    /// descriptor that is not open.
    pub happened: PollEvents,
}

/// Waits until at least one item has events, and gives how many have; 0 after the deadline.
///
/// Objects inside are asked directly, all that are the host's in one host call. EINTR when something is
/// pending for the thread.
pub fn poll(items: &mut [PollItem], deadline: Option<u64>) -> Result<usize> {
    let ready = look_inside(items);
    if ready > 0 || deadline == NOW {
        if has_host(items) {
            look_outside(items, Wait::NONE)?;
        }
        return Ok(count(items));
    }
    let waiter = Waiter::new();
    let _subscriptions: Vec<_> = items
        .iter()
        .filter_map(|item| {
            let object = item.description.as_ref()?.object();
            object.subscribe(item.interest, waiter.observer())
        })
        .collect();
    loop {
        waiter.reset();
        let ready = look_inside(items);
        // Asked anew each time: an epoll instance among the items may have got its first host member.
        if !has_host(items) {
            if ready > 0 {
                return Ok(ready);
            }
            match waiter.sleep(deadline) {
                Ok(()) => continue,
                Err(Errno::ETIMEDOUT) => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        let wait = match remaining(deadline) {
            Ok(wait) if ready == 0 && !thread::is_pending() => wait,
            _ => Wait::NONE,
        };
        look_outside(items, wait)?;
        match count(items) {
            0 if wait != Wait::NONE => {}
            0 if remaining(deadline).is_err() => return Ok(0),
            0 => return Err(Errno::EINTR),
            count => return Ok(count),
        }
    }
}

fn has_host(items: &[PollItem]) -> bool {
    items.iter().any(|item| host_fd(item).is_some())
}

fn host_fd(item: &PollItem) -> Option<HostFd> {
    item.description.as_ref()?.object().host_fd()
}

/// Asks the objects; gives how many items have events.
fn look_inside(items: &mut [PollItem]) -> usize {
    for item in items.iter_mut() {
        if let Some(description) = &item.description {
            item.happened = description.object().poll(item.interest);
        }
    }
    count(items)
}

/// Asks the host about what is the host's, and adds its events to the items. That it returned early is no
/// error.
fn look_outside(items: &mut [PollItem], wait: Wait) -> Result<()> {
    let staging = call::staging();
    let mut entries = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(fd) = host_fd(item) {
            let entry = PollEntry {
                fd,
                events: item.interest.bits() as u16,
                happened: 0,
            };
            entries.push((index, entry));
        }
    }
    if entries.len() > Poll::MAX_ENTRIES {
        return Err(Errno::EINVAL);
    }
    for (place, (_, entry)) in entries.iter().enumerate() {
        staging
            .part(place * PollEntry::SIZE, PollEntry::SIZE)
            .write(&entry.to_bytes());
    }
    let request = Poll {
        count: entries.len(),
        wait,
    };
    if call_once(&request, wait)?.unwrap_or(0) == 0 {
        return Ok(());
    }
    for (place, (index, entry)) in entries.into_iter().enumerate() {
        let mut bytes = [0; PollEntry::SIZE];
        staging
            .part(place * PollEntry::SIZE, PollEntry::SIZE)
            .read(&mut bytes);
        let happened = entry.check(bytes)?;
        if let Some(item) = items.get_mut(index) {
            item.happened |= PollEvents::from_bits_retain(happened.into());
        }
    }
    Ok(())
}

fn count(items: &[PollItem]) -> usize {
    items.iter().filter(|item| !item.happened.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use kobject::{File, How, KernelSource};
    use linux_abi::OpenFlags;

    use super::*;
    use crate::pipe::pipe;

    #[test]
    fn what_is_inside_is_looked_at_without_the_host() {
        let (reader, writer) = pipe();
        writer.write(0, &mut KernelSource(b"x"), How::PLAIN).unwrap();
        let item = |object: Arc<dyn File>, interest| PollItem {
            description: Some(Description::new(object, OpenFlags::O_RDWR, b"")),
            interest,
            happened: PollEvents::POLLNVAL,
        };
        let nothing = |happened| PollItem {
            description: None,
            interest: PollEvents::POLLIN,
            happened,
        };
        let mut items = [
            item(reader, PollEvents::POLLIN | PollEvents::POLLRDNORM),
            item(writer, PollEvents::POLLIN),
            nothing(PollEvents::empty()),
            nothing(PollEvents::POLLNVAL),
        ];
        assert_eq!(poll(&mut items, NOW), Ok(2));
        let happened = items.map(|item| item.happened);
        assert_eq!(
            happened,
            [
                PollEvents::POLLIN | PollEvents::POLLRDNORM,
                PollEvents::empty(),
                PollEvents::empty(),
                PollEvents::POLLNVAL
            ]
        );
    }
}
