//! Host calls about the enclave's pages.

use host_abi::{Acceptance, Answer, Commit, Protect, Remove, Trim};
use sgx_platform::{Enclave, EnclaveError};

use super::value;
use crate::kernel;
use crate::rootfs::RootfsMapping;

fn changed(result: Result<(), EnclaveError>) -> Answer {
    value(match result {
        Ok(()) => 0,
        Err(EnclaveError::PageState(_)) => kernel::error(libc::EINVAL),
        Err(EnclaveError::Memory) => kernel::error(libc::ENOMEM),
    })
}

pub(super) fn commit(call: Commit, enclave: &impl Enclave, rootfs: &RootfsMapping) -> Answer {
    if call.acceptance == Acceptance::Copies {
        rootfs.note_copied(call.range.len());
    }
    changed(enclave.commit(call.range, call.acceptance))
}

pub(super) fn protect(call: Protect, enclave: &impl Enclave) -> Answer {
    changed(enclave.protect(call.range, call.protection))
}

pub(super) fn trim(call: Trim, enclave: &impl Enclave) -> Answer {
    changed(enclave.trim(call.range))
}

pub(super) fn remove(call: Remove, enclave: &impl Enclave) -> Answer {
    changed(enclave.remove(call.range))
}
