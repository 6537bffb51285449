//! Says, once, that the enclave's memory is used up: programs are told ENOMEM or a signal, and say what they like.

use alloc::format;
use core::sync::atomic::{AtomicBool, Ordering};

use host_abi::MessageKind;
use libos_fs::System as _;

use crate::process::Thread;
use crate::{console, proc_source};

/// A part of all memory that nobody may get to see used: the LibOS keeps pages for itself and for files.
const SLACK: u64 = 32;

/// After `len` bytes could not be had: says why, if the reason is that others have taken what there was.
pub(crate) fn say_if_used_up(thread: &Thread, len: u64) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let memory = proc_source::Source.memory();
    let is_used_up = len > memory.free.saturating_sub(memory.total / SLACK);
    // What is more than all memory was not there from the beginning, and many programs try it.
    if len > memory.total || !is_used_up || SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let line = format!(
        "{} cannot get more memory: the {} MiB of the enclave are used up. Convert with a larger --enclave-size\n",
        thread.program(),
        memory.total >> 20
    );
    console::print(MessageKind::Notice, &line);
}
