//! The signals that a server obeys.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ready when the process is told to end, by SIGTERM or SIGINT. Both are caught from this call on.
///
/// # Errors
/// When the system does not let a signal be caught.
pub fn termination() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// SIGHUP, which tells a server to reload. It is caught from this call on; a server that has
/// nothing to reload leaves it alone.
///
/// # Errors
/// When the system does not let the signal be caught.
pub fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
