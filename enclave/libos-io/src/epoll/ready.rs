//! Which members inside may be ready.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

use kobject::{Observer, SpinLock, Subscription, WaitQueue};
use linux_abi::PollEvents;

use super::members::Token;

/// The list of members to look at, and who waits for there to be some.
pub(super) struct Ready {
    list: SpinLock<VecDeque<Token>>,
    queue: Arc<WaitQueue>,
}

impl Ready {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            list: SpinLock::new(VecDeque::new()),
            queue: WaitQueue::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.list.lock().is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.lock().len()
    }

    pub fn pop(&self) -> Option<Token> {
        self.list.lock().pop_front()
    }

    pub fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Subscription {
        self.queue.subscribe(interest, observer)
    }

    /// Makes who waits look again; whether that is news to somebody.
    pub fn wake(&self) -> bool {
        self.queue.wake(PollEvents::READABLE)
    }
}

/// Observes one member.
pub(super) struct Watch {
    ready: Arc<Ready>,
    token: Token,
    /// Whether it is on the list.
    queued: AtomicBool,
    /// EPOLLEXCLUSIVE.
    exclusive: bool,
}

impl Watch {
    pub fn new(ready: &Arc<Ready>, token: Token, exclusive: bool) -> Arc<Self> {
        Arc::new(Self {
            ready: ready.clone(),
            token,
            queued: AtomicBool::new(false),
            exclusive,
        })
    }

    pub fn observer(this: &Arc<Self>) -> Weak<dyn Observer> {
        let this: Arc<dyn Observer> = this.clone();
        Arc::downgrade(&this)
    }

    /// Puts the member on the list, unless it is there.
    pub fn queue(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.list.lock().push_back(self.token);
        }
    }

    /// The member has been taken off the list. Called before it is looked at: what happens from then on puts
    /// it there again.
    pub fn unqueue(&self) {
        self.queued.store(false, Ordering::SeqCst);
    }
}

impl Observer for Watch {
    fn notify(&self, events: PollEvents) {
        self.take(events);
    }

    fn take(&self, _: PollEvents) -> bool {
        self.queue();
        self.ready.wake()
    }

    fn is_exclusive(&self) -> bool {
        self.exclusive
    }
}
