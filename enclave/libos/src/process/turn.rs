//! A process's turn: its threads give their place in memory away while they wait, and on their way back to their programs.

use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use host_abi::MessageKind;
use kobject::{Residence, Result};
use linux_abi::Signal;

use super::exit::{self, Status};
use super::{CURRENT, Thread};
use crate::console;

/// What threads of programs do around waits.
pub(crate) struct Turn;

impl Residence for Turn {
    fn away(&self) {
        let _ = CURRENT.try_with(|thread| {
            thread.is_away.store(true, Ordering::Relaxed);
            thread.cpu.stop();
            thread.process.space().unpin(&thread.pin);
        });
    }

    fn back(&self) {
        let _ = CURRENT.try_with(|thread| {
            thread.is_away.store(false, Ordering::Relaxed);
            back(thread);
        });
    }
}

/// The calling thread, which holds no lock, waits until its process's memory is in place.
pub(crate) fn back(thread: &Arc<Thread>) {
    let pinned = thread.process.space().pin(&thread.pin);
    go_on(thread, pinned);
    thread.cpu.start();
}

/// Lets another process have its turn, if it is its time.
pub(crate) fn gate(thread: &Arc<Thread>) {
    // While another process has its turn, this one does not run.
    thread.cpu.stop();
    let pinned = thread.process.space().gate(&thread.pin);
    go_on(thread, pinned);
    thread.cpu.start();
}

/// A process whose memory cannot be brought in does not go on.
fn go_on(thread: &Arc<Thread>, pinned: Result<()>) {
    if let Err(errno) = pinned {
        let name = thread.program();
        let line = format!(
            "{name} was killed: the enclave has no memory for all processes ({errno}); convert with a larger \
             --enclave-size\n"
        );
        console::print(MessageKind::Notice, &line);
        exit::process(thread, Status::killed(Signal::SIGKILL));
    }
}
