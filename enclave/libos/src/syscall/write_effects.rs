//! What a write entails besides its bytes: SIGPIPE, the limit of a file's size, the loss of set-user-ID bits.

use kobject::{Description, Errno, Result};
use linux_abi::limits::RLIM_INFINITY;
use linux_abi::{Resource, Signal, SignalCode};

use super::Call;
use crate::signal::{SignalInfo, send};

/// A write to a pipe or stream that nobody reads raises SIGPIPE.
pub(super) fn raise_pipe(call: &Call<'_>, result: Result<usize>) -> Result<u64> {
    if result == Err(Errno::EPIPE) {
        let process = &call.thread.process;
        let info = SignalInfo::sent(
            Signal::SIGPIPE,
            SignalCode::SI_USER,
            process.pid,
            call.thread.uid(),
        );
        send::to_thread(call.thread, info)?;
    }
    Ok(result? as u64)
}

/// A file whose contents a process without privilege has changed is no longer run with its owner's rights.
pub(super) fn modified(call: &Call<'_>, file: &Description) {
    if file.object().is_seekable() {
        libos_fs::written_by(file, &call.thread.credentials());
    }
}

/// How much RLIMIT_FSIZE lets be written into a file from `start` on, at least a byte; `None` if it limits nothing. SIGXFSZ and EFBIG
/// if that is nothing.
pub(super) fn room_in_file(
    call: &Call<'_>,
    file: &Description,
    start: impl FnOnce() -> Result<u64>,
) -> Result<Option<usize>> {
    if !file.object().is_seekable() {
        return Ok(None);
    }
    let limit = call.thread.process.limits.lock()[Resource::RLIMIT_FSIZE].current;
    if limit == RLIM_INFINITY {
        return Ok(None);
    }
    let start = start()?;
    check_file_size(call, start.saturating_add(1))?;
    Ok(usize::try_from(limit - start).ok())
}

/// Whether RLIMIT_FSIZE lets a file become this long; SIGXFSZ and EFBIG.
pub(super) fn check_file_size(call: &Call<'_>, len: u64) -> Result<()> {
    let process = &call.thread.process;
    if len <= process.limits.lock()[Resource::RLIMIT_FSIZE].current {
        return Ok(());
    }
    send::to_thread(
        call.thread,
        SignalInfo::new(Signal::SIGXFSZ, SignalCode::SI_KERNEL),
    )?;
    Err(Errno::EFBIG)
}
