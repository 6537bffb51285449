//! What changes the enclave's pages: `enclave_rt` in the enclave, a model of it in tests.

use enclave_rt::memory::PageBuffer;
use enclave_rt::{memory, user};
use host_abi::{PageRange, Protection};
use kobject::Result;

/// The enclave's pages, and what is in those of the programs. See `enclave_rt::memory` for what each does.
pub(crate) trait PageMemory: Sync {
    /// Adds zeroed pages, readable and writable.
    fn commit(&self, range: PageRange) -> Result<()>;

    /// Adds pages that nobody can touch before they hold the first bytes of `content` and allow what `protection` says.
    fn commit_copy(&self, range: PageRange, content: &PageBuffer, protection: Protection) -> Result<()>;

    /// Sets what pages allow.
    fn protect(&self, range: PageRange, protection: Protection) -> Result<()>;

    /// Takes pages away.
    fn decommit(&self, range: PageRange);

    /// Reads from pages that are there and can be read.
    fn read(&self, from: u64, out: &mut [u8]) -> Result<()>;

    /// Writes to pages that are there and can be written.
    fn write(&self, to: u64, bytes: &[u8]) -> Result<()>;

    /// Fills pages that are there and can be written with zeros.
    fn zero(&self, to: u64, len: usize) -> Result<()>;

    /// Copies from pages to others that do not overlap them.
    fn copy(&self, to: u64, from: u64, len: usize) -> Result<()>;
}

/// The enclave that this runs in.
pub(crate) struct Enclave;

impl PageMemory for Enclave {
    fn commit(&self, range: PageRange) -> Result<()> {
        memory::commit(range)
    }

    fn commit_copy(&self, range: PageRange, content: &PageBuffer, protection: Protection) -> Result<()> {
        memory::commit_copy(range, content, protection)
    }

    fn protect(&self, range: PageRange, protection: Protection) -> Result<()> {
        memory::protect(range, protection)
    }

    fn decommit(&self, range: PageRange) {
        memory::decommit(range);
    }

    fn read(&self, from: u64, out: &mut [u8]) -> Result<()> {
        Ok(user::read(from, out)?)
    }

    fn write(&self, to: u64, bytes: &[u8]) -> Result<()> {
        Ok(user::write(to, bytes)?)
    }

    fn zero(&self, to: u64, len: usize) -> Result<()> {
        Ok(user::zero(to, len)?)
    }

    fn copy(&self, to: u64, from: u64, len: usize) -> Result<()> {
        Ok(user::copy(to, from, len)?)
    }
}
