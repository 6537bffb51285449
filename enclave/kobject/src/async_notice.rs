//! Who is told by a signal of what happens to an open file: F_SETOWN, F_SETSIG and O_ASYNC of fcntl(2).

use alloc::sync::Arc;

use enclave_rt::sync::SpinLock;

use crate::{Observer, Subscription};

/// Who is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Nobody.
    #[default]
    Nobody,
    /// The thread with this number.
    Thread(u32),
    /// The process with this number.
    Process(u32),
    /// All processes of the group with this number.
    Group(u32),
}

/// What is told, and whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// Who is told.
    pub owner: Owner,
    /// By which signal; 0 is SIGIO, without what happened.
    pub signal: u32,
    /// The real and the effective user who named the owner: what they may signal is told.
    pub users: [u32; 2],
}

/// The notices of one open file.
pub struct AsyncNotice {
    notice: SpinLock<Notice>,
    /// What tells of events, while O_ASYNC is set.
    watch: SpinLock<Option<(Arc<dyn Observer>, Subscription)>>,
}

impl AsyncNotice {
    /// Nobody is told.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            notice: SpinLock::new(Notice::default()),
            watch: SpinLock::new(None),
        })
    }

    /// What is told, and whom.
    pub fn notice(&self) -> Notice {
        *self.notice.lock()
    }

    /// Changes it.
    pub fn change(&self, change: impl FnOnce(&mut Notice)) {
        change(&mut self.notice.lock());
    }

    /// Sets what tells of events, or nothing.
    pub fn set_watch(&self, watch: Option<(Arc<dyn Observer>, Subscription)>) {
        let before = core::mem::replace(&mut *self.watch.lock(), watch);
        // Without the lock: it ends a subscription.
        drop(before);
    }
}
