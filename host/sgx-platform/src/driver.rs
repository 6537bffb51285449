//! The platform of SGX hardware: Linux's driver, `/dev/sgx_enclave`.
//!
//! Its place, not yet its code: `open` says so, and since nothing can make a [`Driver`], nothing behind it is
//! pretended. What goes where, once it is written:
//! `create` SGX_IOC_ENCLAVE_CREATE; `add_page` SGX_IOC_ENCLAVE_ADD_PAGES (whole pages are measured, or none);
//! `init` SGX_IOC_ENCLAVE_INIT; `commit` mmap and the driver's EAUG at first touch; `protect`
//! SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS and mprotect; `trim` SGX_IOC_ENCLAVE_MODIFY_TYPES; `remove`
//! SGX_IOC_ENCLAVE_REMOVE_PAGES; `enter` and `resume` `__vdso_sgx_enter_enclave`.

use std::path::Path;

use enclave_layout::{Acceptance, EntryReason, PageRange, Protection};
use sgx_arch::{PAGE_SIZE, SecInfo, Secs, SigStruct};

use crate::requirements::Missing;
use crate::survey::DEVICE;
use crate::{Builder, Chunks, Debugged, Enclave, EnclaveError, Exit, Interrupter, PlatformError, Thread};

/// Whether the machine offers SGX to this process.
pub fn is_present() -> bool {
    Path::new(DEVICE).exists()
}

/// An enclave of the driver: there is none yet.
#[derive(Clone, Copy, Debug)]
pub enum Driver {}

impl Driver {
    /// Creates an enclave (ECREATE).
    pub fn create(_: &Secs) -> Result<Self, PlatformError> {
        let missing = if is_present() {
            Missing::SgxUnsupported
        } else {
            Missing::SgxDevice
        };
        Err(missing.into())
    }
}

impl Builder for Driver {
    type Enclave = Self;

    fn add_page(
        &mut self,
        _: u64,
        _: SecInfo,
        _: Option<&[u8; PAGE_SIZE as usize]>,
        _: Chunks,
    ) -> Result<(), PlatformError> {
        match *self {}
    }

    fn init(self, _: &SigStruct) -> Result<Self, PlatformError> {
        match self {}
    }
}

impl Enclave for Driver {
    type Thread<'a> = Self;

    fn thread(&self, _: u64) -> Result<Self, PlatformError> {
        match *self {}
    }

    fn commit(&self, _: PageRange, _: Acceptance) -> Result<(), EnclaveError> {
        match *self {}
    }

    fn protect(&self, _: PageRange, _: Protection) -> Result<(), EnclaveError> {
        match *self {}
    }

    fn trim(&self, _: PageRange) -> Result<(), EnclaveError> {
        match *self {}
    }

    fn remove(&self, _: PageRange) -> Result<(), EnclaveError> {
        match *self {}
    }
}

impl Thread for Driver {
    fn enter(&mut self, _: u64, _: EntryReason) -> Exit {
        match *self {}
    }

    fn resume(&mut self) -> Exit {
        match *self {}
    }

    fn interrupter(&self) -> Interrupter {
        match *self {}
    }

    fn debugged(&self) -> Option<Debugged> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sgx_arch::{Attributes, MiscSelect};

    #[test]
    fn nothing_is_pretended() {
        let secs = Secs::new(0, 1 << 36, 1, MiscSelect::EXINFO, Attributes::default());
        let error = Driver::create(&secs).unwrap_err();
        assert!(matches!(
            error,
            PlatformError::Machine(Missing::SgxUnsupported | Missing::SgxDevice)
        ));
    }
}
