//! What a thread does about pending signals and barriers on its way back to its program.

use core::sync::atomic::Ordering;

use enclave_rt::frame::TrapFrame;
use enclave_rt::thread;

use crate::process::{CURRENT, barrier, exit, stop, turn};
use crate::signal::{deliver, from_host};

/// Clears what is pending; whether there is something to deliver.
pub(crate) fn take_pending() -> bool {
    thread::clear_pending();
    CURRENT.with(|thread| {
        from_host::forward();
        barrier::acknowledge(thread);
        turn::gate(thread);
        thread.has_signal() || thread.interrupted.lock().is_some()
    })
}

/// Delivers to the calling thread; whether its state has changed.
pub(crate) fn deliver_to_current(frame: &mut TrapFrame) -> bool {
    CURRENT.with(|thread| {
        if thread.ending.load(Ordering::Acquire) != 0 {
            exit::thread(thread, 0);
        }
        stop::wait_while_stopped(thread);
        let interrupted = thread.interrupted.lock().take();
        deliver::deliver(thread, frame, interrupted)
    })
}
