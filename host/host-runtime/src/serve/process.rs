//! Host calls about threads that wait and are woken, and about messages to a developer.

use std::io::Write;

use host_abi::{Answer, Interrupt, Message, MessageKind, Park, Unpark};

use super::{Caller, Staging, value};
use crate::thread::{Runtime, Slot};
use crate::{kernel, terminal};

pub(super) fn park(call: Park, caller: Caller) -> Answer {
    value(caller.waker.park(call.wait))
}

pub(super) fn unpark(call: Unpark, slots: &[Slot]) -> Answer {
    with_slot(call.slot, slots, |slot| slot.waker.wake())
}

pub(super) fn interrupt(call: Interrupt, slots: &[Slot]) -> Answer {
    with_slot(call.slot, slots, |slot| slot.waker.interrupt())
}

fn with_slot(number: u32, slots: &[Slot], act: impl FnOnce(&Slot)) -> Answer {
    match slots.get(number as usize) {
        Some(slot) => {
            act(slot);
            value(0)
        }
        None => value(kernel::error(libc::ESRCH)),
    }
}

pub(super) fn message<E>(call: Message, staging: Staging, runtime: &Runtime<E>) -> Answer {
    let bytes = staging.read(0, call.len);
    let text = String::from_utf8_lossy(&bytes);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let line = match call.kind {
        MessageKind::Trace => {
            let line = format!("{text}{end}");
            if let Some(mut file) = runtime.trace_file.as_ref() {
                // As below.
                let _ = file.write_all(line.as_bytes());
                return value(0);
            }
            line
        }
        MessageKind::Crash => format!("{text}{end}"),
        MessageKind::Notice => format!("nacre: {text}{end}"),
        MessageKind::Panic => format!("nacre: the library OS has failed: {text}{end}"),
        MessageKind::Stats => {
            runtime.report.add(&format!("{text}{end}"));
            return value(0);
        }
    };
    // One write, so that lines of several threads do not mix. Nobody is left to tell if it fails.
    let _ = std::io::stderr().write_all(terminal::shown(line).as_bytes());
    value(0)
}
