//! Messages on the host's standard error: notices, crash reports, traces and statistics.

use enclave_rt::call;
use host_abi::{Message, MessageKind, STAGING_SIZE};

/// Prints on the host's standard error. Nothing of a program's data may be in it unless debugging is allowed.
pub(crate) fn print(kind: MessageKind, text: &str) {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..bytes.len().min(STAGING_SIZE)).unwrap_or(bytes);
    call::staging().write(bytes);
    let _ = call::call(&Message {
        kind,
        len: bytes.len(),
    });
}
