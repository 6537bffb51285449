//! Descriptors of processes (pidfd_open(2)): they name a process for good, whoever gets its number next.

use alloc::format;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::Ordering;

use kobject::{File, FileKind, Observer, Result, Stat, Subscription};
use linux_abi::PollEvents;

use super::{Process, table};

/// A process, as a descriptor refers to it. It is readable once the process has ended.
pub(crate) struct PidFd(pub(crate) Arc<Process>);

impl File for PidFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        libos_io::anonymous_stat(FileKind::Anonymous, 0o700, self.0.pid.into())
    }

    fn info(&self) -> String {
        let is_gone = table::process(self.0.pid).is_none();
        let pid = if is_gone { -1 } else { i64::from(self.0.pid) };
        format!("Pid:\t{pid}\nNSpid:\t{pid}\n")
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        match self.0.is_zombie.load(Ordering::Acquire) {
            true => interest & PollEvents::READABLE,
            false => PollEvents::empty(),
        }
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.0.ends.subscribe(interest, observer))
    }
}
