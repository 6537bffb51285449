//! Host calls about threads that wait and are woken, and about messages to a developer.

use std::io::Write;

use host_abi::{Answer, Interrupt, Message, MessageKind, Park, Unpark};

use super::{Caller, Staging, value};
use crate::stats::EnclaveReport;
use crate::thread::Slot;
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

pub(super) fn message(call: Message, staging: Staging, report: &EnclaveReport) -> Answer {
    let bytes = staging.read(0, call.len);
    let text = String::from_utf8_lossy(&bytes);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let line = match call.kind {
        MessageKind::Trace | MessageKind::Crash => format!("{text}{end}"),
        MessageKind::Notice => format!("nacre: {text}{end}"),
        MessageKind::Panic => format!("nacre: the library OS has failed: {text}{end}"),
        MessageKind::Stats => {
            report.add(&format!("{text}{end}"));
            return value(0);
        }
    };
    // One write, so that lines of several threads do not mix. Nobody is left to tell if it fails.
    let _ = std::io::stderr().write_all(terminal::shown(line).as_bytes());
    value(0)
}
