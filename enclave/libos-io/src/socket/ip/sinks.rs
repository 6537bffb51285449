//! Sinks that take less than they are given.

use enclave_rt::untrusted::HostMemory;
use kobject::{Result, Sink, Source};

/// Takes `count` bytes of `from`, and forgets them.
pub(super) fn discard(from: &mut dyn Source, count: usize) -> Result<usize> {
    let mut bytes = [0; 512];
    let mut left = count;
    while left > 0 {
        let part = bytes.get_mut(..left.min(512)).unwrap_or_default();
        from.take(part)?;
        left -= part.len();
    }
    Ok(count)
}

/// Takes so many bytes, and forgets them.
pub(super) struct Nowhere(pub usize);

impl Sink for Nowhere {
    fn room(&self) -> usize {
        self.0
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.put_zeros(bytes.len())
    }

    fn put_zeros(&mut self, count: usize) -> Result<()> {
        self.0 -= count;
        Ok(())
    }

    fn put_untrusted(&mut self, bytes: HostMemory) -> Result<()> {
        self.put_zeros(bytes.len())
    }
}

/// Takes no more than so many bytes of what another takes.
pub(super) struct Limited<'a>(pub &'a mut dyn Sink, pub usize);

impl Sink for Limited<'_> {
    fn room(&self) -> usize {
        self.1
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.put(bytes)?;
        self.1 -= bytes.len();
        Ok(())
    }

    fn put_zeros(&mut self, count: usize) -> Result<()> {
        self.0.put_zeros(count)?;
        self.1 -= count;
        Ok(())
    }

    fn put_untrusted(&mut self, bytes: HostMemory) -> Result<()> {
        let len = bytes.len();
        self.0.put_untrusted(bytes)?;
        self.1 -= len;
        Ok(())
    }
}
