//! The enclave's pages.

use host_abi::{Answer, Commit, Protect, Remove, Trim};
use sgx_platform::{Acceptance, Enclave, EnclaveError, PageRange};

use super::value;
use crate::kernel;
use crate::rootfs::RootfsMapping;

fn changed(range: host_abi::PageRange, change: impl FnOnce(PageRange) -> Result<(), EnclaveError>) -> Answer {
    let Some(range) = PageRange::new(range.start(), range.len()) else {
        return value(kernel::error(libc::EINVAL));
    };
    value(match change(range) {
        Ok(()) => 0,
        Err(EnclaveError::PageState(_)) => kernel::error(libc::EINVAL),
        Err(EnclaveError::Memory) => kernel::error(libc::ENOMEM),
    })
}

pub(super) fn commit(call: Commit, enclave: &impl Enclave, rootfs: &RootfsMapping) -> Answer {
    let acceptance = match call.acceptance {
        host_abi::Acceptance::Zeros => Acceptance::Zeros,
        host_abi::Acceptance::Copies => {
            rootfs.note_copied(call.range.len());
            Acceptance::Copies
        }
    };
    changed(call.range, |range| enclave.commit(range, acceptance))
}

pub(super) fn protect(call: Protect, enclave: &impl Enclave) -> Answer {
    changed(call.range, |range| {
        enclave.protect(range, call.protection.bits().into())
    })
}

pub(super) fn trim(call: Trim, enclave: &impl Enclave) -> Answer {
    changed(call.range, |range| enclave.trim(range))
}

pub(super) fn remove(call: Remove, enclave: &impl Enclave) -> Answer {
    changed(call.range, |range| enclave.remove(range))
}
