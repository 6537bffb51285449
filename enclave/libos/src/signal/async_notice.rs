//! Signals that tell of events at open files (O_ASYNC of fcntl(2)).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::async_notice::{AsyncNotice, Notice, Owner};
use kobject::{Description, FileKind, Observer};
use linux_abi::{PollEvents, Signal, SignalCode};

use super::{SignalInfo, send};
use crate::process::descriptors::Fd;
use crate::process::{Process, Thread, table};

/// Tells an open file's owner of events, from now on. Nothing is told of files that are always ready, nor of network sockets, whose events
/// only the host knows until somebody asks.
pub(crate) fn begin(file: &Description, fd: Fd) {
    let object = file.object();
    let tells = object.stat().is_ok_and(|stat| {
        matches!(
            stat.kind,
            FileKind::Fifo | FileKind::Socket | FileKind::CharDevice
        )
    });
    if !tells {
        return;
    }
    let notice = file.async_notice();
    let teller: Arc<dyn Observer> = Arc::new(Teller {
        notice: Arc::downgrade(&notice),
        fd,
        topic: Topic::Events,
    });
    let events = PollEvents::READABLE | PollEvents::WRITABLE;
    if let Some(subscription) = object.subscribe(events, Arc::downgrade(&teller)) {
        notice.set_watch(Some((teller, subscription)));
    }
}

/// Tells nobody any more.
pub(crate) fn end(file: &Description) {
    file.async_notice().set_watch(None);
}

/// Observes the object of an open file.
struct Teller {
    notice: Weak<AsyncNotice>,
    /// The descriptor by which O_ASYNC was set, for the signal.
    fd: Fd,
    topic: Topic,
}

/// What is told of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// What happens at an object.
    Events,
    /// Somebody wants to open a leased file.
    Lease,
}

/// What tells the owner of an open file that somebody wants to open the file too (F_SETLEASE).
pub(crate) fn of_leases(file: &Description, fd: Fd) -> Arc<dyn Observer> {
    Arc::new(Teller {
        notice: Arc::downgrade(&file.async_notice()),
        fd,
        topic: Topic::Lease,
    })
}

impl Observer for Teller {
    fn notify(&self, events: PollEvents) {
        let Some(notice) = self.notice.upgrade() else {
            return;
        };
        let notice = notice.notice();
        let info = information(notice.signal, self.topic, events, self.fd);
        match notice.owner {
            Owner::Nobody => {}
            Owner::Thread(tid) => {
                if let Some(thread) = table::thread(tid).filter(|thread| may_tell(&notice, thread)) {
                    // A full queue loses it.
                    let _ = send::to_thread(&thread, info);
                }
            }
            Owner::Process(pid) => tell(table::process(pid).into_iter().collect(), &notice, info),
            Owner::Group(group) => {
                let mut members = table::processes();
                members.retain(|member| member.group.load(Ordering::Relaxed) == group);
                tell(members, &notice, info);
            }
        }
    }
}

fn tell(processes: Vec<Arc<Process>>, notice: &Notice, info: SignalInfo) {
    for process in processes {
        let first = process.threads().into_iter().next();
        if first.is_some_and(|first| may_tell(notice, &first)) {
            // A full queue loses it.
            let _ = send::to_process(&process, info);
        }
    }
}

/// Whether who named the owner may signal a thread (`sigio_perm` of the kernel).
fn may_tell(notice: &Notice, thread: &Thread) -> bool {
    let [real, effective] = notice.users;
    let [its_real, _, its_saved, _] = thread.credentials().uid;
    effective == 0
        || [its_saved, its_real]
            .iter()
            .any(|its| [real, effective].contains(its))
}

/// The signal that tells of events: SIGIO says nothing of them.
fn information(signal: u32, topic: Topic, events: PollEvents, fd: Fd) -> SignalInfo {
    let Some(signal) = Signal::from_raw(signal.into()) else {
        return SignalInfo::new(Signal::SIGIO, SignalCode::SI_KERNEL);
    };
    let (code, band) = match events {
        _ if topic == Topic::Lease => (SignalCode::POLL_MSG, PollEvents::READABLE),
        events if events.intersects(PollEvents::POLLHUP) => {
            (SignalCode::POLL_HUP, PollEvents::POLLHUP | PollEvents::POLLERR)
        }
        events if events.intersects(PollEvents::READABLE) => {
            (SignalCode::POLL_IN, PollEvents::POLLIN | PollEvents::POLLRDNORM)
        }
        _ => (
            SignalCode::POLL_OUT,
            PollEvents::POLLOUT | PollEvents::POLLWRNORM | PollEvents::POLLWRBAND,
        ),
    };
    let mut info = SignalInfo::new(signal, code);
    info.fields[0] = band.bits().into();
    info.fields[1] = fd.into();
    info
}
