//! A thread that waits until somebody else finishes its call.

use alloc::sync::Arc;

use kobject::{Result, SpinLock, Waiter};
use linux_abi::PollEvents;

/// How the calling thread waits: until the waiter is told (or before, for no reason). EINTR for a signal, ETIMEDOUT after its deadline.
pub type Sleep<'a> = &'a mut dyn FnMut(&Waiter) -> Result<()>;

/// A call that others finish.
pub(crate) struct Sleeper<T> {
    waiter: Arc<Waiter>,
    outcome: SpinLock<Option<Result<T>>>,
}

impl<T> Sleeper<T> {
    /// The calling thread's.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiter: Waiter::new(),
            outcome: SpinLock::new(None),
        })
    }

    /// Finishes the call. The thread goes on when it is woken.
    pub(crate) fn finish(&self, outcome: Result<T>) {
        *self.outcome.lock() = Some(outcome);
    }

    /// Wakes the thread, without a lock.
    pub(crate) fn wake(&self) {
        kobject::Observer::notify(self.waiter.as_ref(), PollEvents::POLLIN);
    }

    /// What came of the call, if it is finished.
    pub(crate) fn take(&self) -> Option<Result<T>> {
        self.outcome.lock().take()
    }

    /// Waits for the call to be finished; gives why it was not.
    pub(crate) fn wait(&self, sleep: Sleep<'_>) -> Result<Result<T>> {
        loop {
            if let Some(outcome) = self.take() {
                return Ok(outcome);
            }
            sleep(&self.waiter)?;
            self.waiter.reset();
        }
    }
}
