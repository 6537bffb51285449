//! The end of threads, of processes, and of the container.
//!
//! A thread ends by itself: others can only ask it to ([`Thread::ending`]), and it looks on its way back to its program. A process ends
//! with its last thread. The container ends with its first process.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use enclave_rt::call;
use enclave_rt::frame::TrapFrame;
use host_abi::Exit;
use libos_mm::AddressSpace;
use linux_abi::{Signal, SignalCode};

use super::Thread;
use super::descriptors::Fd;
use super::kin;
use super::table::INIT;
use crate::signal::{SignalInfo, from_host};
use crate::terminal::{bridge, job_control};
use crate::{crash, futex, requests, rootfs_source, stats, user};

/// How a process ended, as `wait` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u16);

impl Status {
    /// It exited with this code.
    pub(crate) fn exited(code: u8) -> Self {
        Self(u16::from(code) << 8)
    }

    /// A signal killed it; bit 7 says that a core was dumped, which never is.
    pub(crate) fn killed(signal: Signal) -> Self {
        Self(signal.raw().into())
    }

    /// A signal has stopped it.
    pub(crate) fn stopped(signal: Signal) -> Self {
        Self(u16::from(signal.raw()) << 8 | Self::STOPPED)
    }

    /// The lower byte of one that is stopped.
    const STOPPED: u16 = 0x7f;

    /// It goes on.
    pub(crate) const CONTINUED: Self = Self(0xffff);

    /// Whether it is [`Self::stopped`].
    pub(crate) fn is_stopped(self) -> bool {
        self.0 & 0xff == Self::STOPPED
    }

    /// As wait4(2) gives it.
    pub(crate) fn raw(self) -> u16 {
        self.0
    }

    /// As SIGCHLD and waitid(2) give it: how it ended, and the exit code or the signal.
    pub(crate) fn of_child(self) -> (SignalCode, u32) {
        if self == Self::CONTINUED {
            return (SignalCode::CLD_CONTINUED, Signal::SIGCONT.raw().into());
        }
        if self.is_stopped() {
            return (SignalCode::CLD_STOPPED, u32::from(self.0 >> 8));
        }
        match self.0 & 0x7f {
            0 => (SignalCode::CLD_EXITED, u32::from(self.0 >> 8)),
            signal => (SignalCode::CLD_KILLED, signal.into()),
        }
    }
}

/// How a process ends: decided once, by exit_group(2), by a signal, or by its last thread.
pub(crate) struct Ending(AtomicU32);

impl Ending {
    /// Stands beside the 16 bits of a status, of which 0 is one.
    const DECIDED: u32 = 1 << 16;

    /// It does not end yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Decides, if nobody has yet; whether it was this that did.
    fn decide(&self, status: Status) -> bool {
        let decided = Self::DECIDED | u32::from(status.0);
        let result = self
            .0
            .compare_exchange(0, decided, Ordering::AcqRel, Ordering::Acquire);
        result.is_ok()
    }

    /// What has been decided.
    pub(crate) fn status(&self) -> Option<Status> {
        let decided = self.0.load(Ordering::Acquire);
        (decided & Self::DECIDED != 0).then_some(Status(decided as u16))
    }
}

/// exit(2): the calling thread ends; with the last one its process.
pub(crate) fn thread(thread: &Arc<Thread>, code: u8) -> ! {
    leave(thread, Status::exited(code))
}

/// exit_group(2): the process ends with all its threads.
pub(crate) fn process(thread: &Arc<Thread>, status: Status) -> ! {
    let process = &thread.process;
    // Another thread may end the process already.
    if process.ending.decide(status) {
        if process.pid == INIT {
            // Its other threads end with the enclave.
            container(status);
        }
        for other in process.threads() {
            other.ending.store(1, Ordering::Release);
            other.notify();
        }
    }
    leave(thread, status)
}

/// A signal kills the calling thread's process.
pub(crate) fn killed(
    thread: &Arc<Thread>,
    signal: Signal,
    is_crash: bool,
    state: Option<(&TrapFrame, &SignalInfo)>,
) -> ! {
    if let (true, Some((frame, info))) = (is_crash, state) {
        crash::report(thread, signal, frame, info);
    }
    process(thread, Status::killed(signal))
}

/// Leaves the enclave for good.
pub(crate) fn end(status: Status) -> ! {
    loop {
        // A host that comes back from this is asked again.
        let _ = call::call(&Exit { status: status.0 });
    }
}

/// Ends the calling thread, and its process if there is no other.
fn leave(thread: &Arc<Thread>, status: Status) -> ! {
    release_futexes(thread);
    let process = &thread.process;
    let space = process.space();
    if process.remove_thread(thread.tid) == 0 {
        process.ending.decide(status);
        if process.pid == INIT {
            // What exit_group(2) or a signal has decided goes before the code of the thread that happens to be last.
            container(process.ending.status().unwrap_or(status));
        }
        let status = process.ending.status().unwrap_or(status);
        process.timers.delete_created();
        crate::container().ipc.process_ended(process.pid);
        if !process.descriptors.is_shared() {
            process.close_descriptors(0, Fd::MAX);
        }
        job_control::leader_ended(process);
        drop(space);
        give_memory_up(thread);
        kin::end(process, status);
        requests::ended(process, status);
    } else {
        // Not the process's space any more, if another thread executes a program.
        space.unpin(&thread.pin);
        space.dismiss(&thread.pin);
        drop(space);
    }
    // What came meanwhile is for others.
    from_host::forward();
    enclave_rt::thread::end()
}

/// Leaves the memory of the calling thread's process, which has no other thread, to those that share it; else it goes.
fn give_memory_up(thread: &Thread) {
    let process = &thread.process;
    let old = process.replace_space(AddressSpace::new(0));
    old.unpin(&thread.pin);
    old.dismiss(&thread.pin);
    drop(old);
    process.give_memory_back();
}

/// Ends the container, whose first process has ended.
fn container(status: Status) -> ! {
    crate::container().sync();
    bridge::end_first();
    stats::report();
    rootfs_source::report();
    end(status)
}

/// Wakes those who wait for what the thread held or was.
fn release_futexes(thread: &Arc<Thread>) {
    futex::release_robust_list(thread);
    let address = thread.clear_tid.load(Ordering::Relaxed);
    if address != 0 && user::put(address, &0u32).is_ok() {
        futex::wake(&thread.process, address, 1, u32::MAX, futex::Scope::Shared);
        futex::wake(&thread.process, address, 1, u32::MAX, futex::Scope::Private);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_end_a_process_decides_how() {
        let ending = Ending::new();
        assert_eq!(ending.status(), None);
        assert!(ending.decide(Status::exited(0)));
        assert_eq!(ending.status(), Some(Status::exited(0)));
        assert!(!ending.decide(Status::exited(3)));
        assert_eq!(ending.status(), Some(Status::exited(0)));
    }
}
