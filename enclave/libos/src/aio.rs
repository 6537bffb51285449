//! Contexts of asynchronous input and output (io_setup(2)): the requests that are done, until somebody takes their results.
//!
//! Files are in memory, so a request is done when it is submitted. A context is known by the address of a page that stands for the
//! kernel's ring: libaio looks for its mark there, finds none, and makes system calls.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;

use kobject::{Errno, Mutex, Result, SpinLock, WaitQueue};
use linux_abi::PollEvents;

/// Most requests of all contexts of a process (`/proc/sys/fs/aio-max-nr`, which Linux has for all together).
pub(crate) const MAX_REQUESTS: u32 = 65_536;

/// The result of a request, as `struct io_event` has it.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    /// What the program has given along.
    pub(crate) data: u64,
    /// Where the request lies.
    pub(crate) request: u64,
    /// A count of bytes, or a negated error number.
    pub(crate) result: i64,
}

/// A context.
pub(crate) struct AioContext {
    most: u32,
    done: SpinLock<VecDeque<Done>>,
    /// Told when a request is done, or the context is gone.
    pub(crate) queue: Arc<WaitQueue>,
}

impl AioContext {
    /// Whether one more request has room.
    pub(crate) fn has_room(&self) -> bool {
        self.done.lock().len() < self.most as usize
    }

    pub(crate) fn add(&self, done: Done) {
        self.done.lock().push_back(done);
        self.queue.wake(PollEvents::READABLE);
    }

    /// Takes the oldest result; EAGAIN if there is none.
    pub(crate) fn take(&self) -> Result<Done> {
        self.done.lock().pop_front().ok_or(Errno::EAGAIN)
    }
}

/// The contexts of a process.
pub(crate) struct AioContexts(Mutex<BTreeMap<u64, Arc<AioContext>>>);

impl AioContexts {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Adds one for so many requests; EAGAIN if there are too many.
    pub(crate) fn add(&self, address: u64, most: u32) -> Result<()> {
        let mut contexts = self.0.lock();
        let all = contexts
            .values()
            .fold(most, |sum, context| sum.saturating_add(context.most));
        if all > MAX_REQUESTS {
            return Err(Errno::EAGAIN);
        }
        let context = AioContext {
            most,
            done: SpinLock::new(VecDeque::new()),
            queue: WaitQueue::new(),
        };
        contexts.insert(address, Arc::new(context));
        Ok(())
    }

    /// The one at an address; EINVAL.
    pub(crate) fn find(&self, address: u64) -> Result<Arc<AioContext>> {
        self.0.lock().get(&address).cloned().ok_or(Errno::EINVAL)
    }

    /// Takes one out; EINVAL.
    pub(crate) fn remove(&self, address: u64) -> Result<Arc<AioContext>> {
        self.0.lock().remove(&address).ok_or(Errno::EINVAL)
    }

    /// Takes all out, as execve(2) does.
    pub(crate) fn clear(&self) {
        let gone = core::mem::take(&mut *self.0.lock());
        drop(gone);
    }
}
