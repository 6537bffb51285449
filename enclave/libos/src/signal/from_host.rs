//! Signals that the host passes on, such as the SIGTERM by which a container is stopped.

use core::sync::atomic::{AtomicU64, Ordering};

use enclave_rt::{call, thread};
use host_abi::REQUEST_SIGNAL;
use linux_abi::{Signal, SignalCode, SignalSet};

use super::{SignalInfo, send};
use crate::container;
use crate::process::table;
use crate::requests;
use crate::terminal::bridge;

/// Sends the signals that the host has passed to the calling thread on to the container's first process.
///
/// They are claims like all that the host says; only those are taken that the measured configuration lists.
pub(crate) fn forward() {
    let mut passed = thread::take_host_signals();
    if passed == 0 {
        return;
    }
    let allowed = container::host_signals().bits();
    if passed & REQUEST_SIGNAL & !allowed != 0 {
        requests::announced();
    }
    tell_delivery();
    passed &= allowed;
    let mut left = SignalSet(passed);
    while let Some(signal) = left.first() {
        left = left.without(SignalSet::of(signal));
        // The terminal in the enclave tells its foreground.
        if signal == Signal::SIGWINCH && bridge::follow_first_size() {
            continue;
        }
        if let Some(first) = table::process(table::INIT) {
            // A full queue loses a signal, as on Linux.
            let _ = send::to_process(&first, SignalInfo::new(signal, SignalCode::SI_KERNEL));
        }
    }
}

/// Tells the host that somebody listens: it ends an enclave in which nobody does.
fn tell_delivery() {
    // One value that nothing else depends on.
    static DELIVERIES: AtomicU64 = AtomicU64::new(0);
    call::tell_deliveries(DELIVERIES.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
}
