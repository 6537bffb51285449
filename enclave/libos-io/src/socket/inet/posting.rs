//! Small pieces that a stream sends with the next call of its thread ([`outbox`]).
//!
//! To the program they are sent: their errors come with the stream's next operation, as those do on Linux that the network reports
//! later. A thread that uses a stream for which another one has posted sees to it first that this is on its way.

use alloc::collections::BTreeMap;
use alloc::sync::Weak;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use enclave_rt::{call, outbox};
use host_abi::Posted;
use kobject::{Errno, Result, Source, SpinLock};
use linux_abi::PollEvents;

use super::InetSocket;

/// A stream's part of it.
pub(super) struct Posting {
    /// Whether what is sent goes to a peer: sending gives no other error than such as come from there.
    is_connected: AtomicBool,
    /// Whether the host may still have a piece for which the network had no room: until it has taken another one, nothing is posted,
    /// so that no more than an outbox gathers there.
    is_crowded: AtomicBool,
    /// The [`call::moment`] in which a piece was last posted.
    moment: AtomicU64,
    /// Whether the stream is among [`SENDERS`].
    is_known: AtomicBool,
}

/// Streams that have posted something, by the numbers of their inodes.
static SENDERS: SpinLock<BTreeMap<u64, Weak<InetSocket>>> = SpinLock::new(BTreeMap::new());

/// A piece that was posted was not sent: the host keeps it, or there was an error.
pub fn not_sent(sender: u64, error: Option<Errno>) {
    let stream = SENDERS.lock().get(&sender).and_then(Weak::upgrade);
    let Some(stream) = stream else {
        // Nobody has it open: as on Linux, nobody learns of the error.
        return;
    };
    stream.posting.is_crowded.store(true, Ordering::Relaxed);
    if let Some(error) = error {
        stream.error.store(error.raw().into(), Ordering::Relaxed);
        stream.ahead.queue.wake(PollEvents::POLLERR);
    }
}

impl Posting {
    pub fn new(is_connected: bool) -> Self {
        Self {
            is_connected: AtomicBool::new(is_connected),
            is_crowded: AtomicBool::new(false),
            moment: AtomicU64::new(0),
            is_known: AtomicBool::new(false),
        }
    }

    /// Sees to it that what other threads have posted is on its way.
    pub fn settle(&self) {
        outbox::settle(self.moment.load(Ordering::Acquire));
    }

    /// The network has taken something, or the stream was connected.
    pub fn allow(&self) {
        self.is_connected.store(true, Ordering::Relaxed);
        self.is_crowded.store(false, Ordering::Relaxed);
    }

    /// The stream has no peer any more, or sends nothing more.
    pub fn forbid(&self) {
        self.is_connected.store(false, Ordering::Relaxed);
    }

    /// The stream is closed.
    pub fn close(&self, inode: u64) {
        self.settle();
        if self.is_known.load(Ordering::Relaxed) {
            SENDERS.lock().remove(&inode);
        }
    }
}

impl InetSocket {
    /// Posts all that there is to send, if that may be. Gives how much it was.
    pub(super) fn post(&self, from: &mut dyn Source) -> Option<Result<usize>> {
        let posting = &self.posting;
        let len = from.left();
        if len == 0
            || len > Posted::MAX_LEN
            || !posting.is_connected.load(Ordering::Relaxed)
            || posting.is_crowded.load(Ordering::Relaxed)
        {
            return None;
        }
        if !posting.is_known.swap(true, Ordering::Relaxed) {
            SENDERS.lock().insert(self.inode, self.this.clone());
        }
        let done = outbox::post(self.fd(), len, self.inode, |place| from.take_untrusted(place))?;
        posting.moment.store(call::moment(), Ordering::Release);
        Some(done.map(|()| len))
    }
}
