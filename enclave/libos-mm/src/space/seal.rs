//! `mseal`.

use enclave_layout::PAGE_SIZE;
use host_abi::PageRange;
use kobject::{Errno, Result};

use super::{AddressSpace, Spaces, page_range};
use crate::mapping::Traits;

impl AddressSpace {
    /// Lets mappings stay as they are until the program ends or executes another one.
    ///
    /// # Errors
    /// As mseal(2): EINVAL, and ENOMEM if part of the range is not mapped; nothing is sealed then.
    pub fn seal(&self, address: u64, len: u64) -> Result<()> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let len = match len.checked_next_multiple_of(PAGE_SIZE) {
            Some(0) => return Ok(()),
            len => len.ok_or(Errno::EINVAL)?,
        };
        address.checked_add(len).ok_or(Errno::EINVAL)?;
        let range = page_range(address, len).map_err(|_| Errno::ENOMEM)?;
        let mut inner = self.lock();
        if inner.mapped_len(range) != range.len() {
            return Err(Errno::ENOMEM);
        }
        for mut part in inner.detach(range) {
            part.traits.insert(Traits::SEALED);
            inner.insert_joined(part)?;
        }
        Ok(())
    }
}

impl Spaces {
    /// EPERM if something in the range is sealed.
    pub(super) fn check_unsealed(&self, range: PageRange) -> Result<()> {
        let parts = self.within(range);
        match parts.iter().any(|part| part.traits.contains(Traits::SEALED)) {
            true => Err(Errno::EPERM),
            false => Ok(()),
        }
    }
}
