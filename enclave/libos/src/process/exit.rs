//! The end of threads, of processes, and of the container.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use enclave_rt::call;
use enclave_rt::frame::TrapFrame;
use host_abi::Exit;

use super::Thread;
use crate::signal::{Signal, SignalInfo};
use crate::{crash, futex, rootfs_source, stats, user};

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
}

/// exit(2): the calling thread ends; with the last one its process.
pub(crate) fn thread(thread: &Arc<Thread>, code: u8) -> ! {
    if thread.process.thread_count() == 1 {
        process(thread, Status::exited(code));
    }
    leave(thread);
    if thread.process.remove_thread(thread.tid) == 0 {
        // The others have ended meanwhile.
        container(Status::exited(code));
    }
    enclave_rt::thread::end()
}

/// exit_group(2): the process ends with all its threads.
pub(crate) fn process(thread: &Arc<Thread>, status: Status) -> ! {
    if thread.process.ending.swap(1, Ordering::AcqRel) != 0 {
        // Another thread ends the process already.
        leave(thread);
        thread.process.remove_thread(thread.tid);
        enclave_rt::thread::end();
    }
    // The container ends with its first process. Where others exist, theirs would only take their threads along.
    container(status)
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

/// Ends the container.
pub(crate) fn container(status: Status) -> ! {
    crate::container().sync();
    stats::report();
    rootfs_source::report();
    end(status)
}

/// Leaves the enclave for good.
pub(crate) fn end(status: Status) -> ! {
    loop {
        // A host that comes back from this is asked again.
        let _ = call::call(&Exit { status: status.0 });
    }
}

/// What a thread does at its end: futexes that others wait for.
fn leave(thread: &Arc<Thread>) {
    futex::release_robust_list(thread);
    let address = thread.clear_tid.load(Ordering::Relaxed);
    if address != 0 && user::put(address, &0u32).is_ok() {
        futex::wake(&thread.process, address, 1, u32::MAX, futex::Scope::Shared);
        futex::wake(&thread.process, address, 1, u32::MAX, futex::Scope::Private);
    }
}
