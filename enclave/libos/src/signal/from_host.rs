//! Signals that the host passes on, such as the SIGTERM by which a container is stopped.

use enclave_rt::thread;
use host_abi::{PASSED_SIGNALS, REQUEST_SIGNAL, signal_bit};
use linux_abi::{Signal, SignalCode, SignalSet};

use super::{SignalInfo, send};
use crate::container;
use crate::process::table;
use crate::requests;
use crate::terminal::bridge;

/// Sends the signals that the host has passed to the calling thread on to the container's first process.
///
/// They are claims like all that the host says; only those are taken that a user may send to any container, and
/// the image's StopSignal.
pub(crate) fn forward() {
    let mut passed = thread::take_host_signals();
    if passed == 0 {
        return;
    }
    let stop = signal_bit(container::stop_signal());
    if passed & REQUEST_SIGNAL != 0 && stop != REQUEST_SIGNAL {
        requests::announced();
    }
    passed &= PASSED_SIGNALS | stop;
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
