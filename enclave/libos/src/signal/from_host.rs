//! Signals that the host passes on, such as the SIGTERM by which a container is stopped.

use enclave_rt::thread;
use host_abi::REQUEST_SIGNAL;
use linux_abi::{Signal, SignalCode, SignalSet};

use super::{SignalInfo, send};
use crate::process::table;
use crate::requests;
use crate::terminal::bridge;

/// Sends the signals that the host has passed to the calling thread on to the container's first process.
///
/// They are claims like all that the host says; only those that a user may send to a container by its runtime are taken.
pub(crate) fn forward() {
    const TAKEN: [Signal; 8] = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGTERM,
        Signal::SIGCONT,
        Signal::SIGWINCH,
    ];
    let passed = thread::take_host_signals();
    if passed & REQUEST_SIGNAL != 0 {
        requests::announced();
    }
    let set = SignalSet(passed);
    for signal in TAKEN.into_iter().filter(|&signal| set.contains(signal)) {
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
