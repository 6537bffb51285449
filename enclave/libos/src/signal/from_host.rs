//! Signals that the host passes on, such as the SIGTERM by which a container is stopped.

use enclave_rt::thread;

use super::{Signal, SignalInfo, code, send};
use crate::process::table;

/// Sends the signals that the host has passed to the calling thread on to the container's first process.
///
/// They are claims like all that the host says; only those that a user may send to a container by its runtime are taken.
pub(crate) fn forward() {
    /// SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGWINCH.
    const TAKEN: u64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 9 | 1 << 11 | 1 << 14 | 1 << 17 | 1 << 27;
    let mut set = thread::take_host_signals() & TAKEN;
    while set != 0 {
        let number = u64::from(set.trailing_zeros()) + 1;
        set &= set - 1;
        if let (Some(signal), Some(first)) = (Signal::from_raw(number), table::process(table::INIT)) {
            // A full queue loses a signal, as on Linux.
            let _ = send::to_process(&first, SignalInfo::new(signal, code::KERNEL));
        }
    }
}
