//! The host's memory: copied from and to, never referred to.
//!
//! Everything here lies outside ELRANGE, which is checked when a range is made; no Rust reference to it ever
//! exists, since the host may change it at any time.

use enclave_layout::ELRANGE_SIZE;

use crate::host_copy;

/// A range of host memory.
#[derive(Clone, Copy, Debug)]
pub struct HostMemory {
    address: u64,
    len: usize,
}

/// Highest address of user space with four-level paging.
const HOST_END: u64 = 1 << 47;

impl HostMemory {
    /// The range, if it lies in the host's part of the address space.
    ///
    /// Whether something is mapped there is the host's business: a fault outside ELRANGE cannot be told from
    /// one that the host makes up, and ends the enclave.
    pub fn new(address: u64, len: u64) -> Option<Self> {
        let end = address.checked_add(len)?;
        let outside = address >= ELRANGE_SIZE && end <= HOST_END;
        let len = usize::try_from(len).ok()?;
        outside.then_some(Self { address, len })
    }

    /// Bytes.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(self) -> usize {
        self.len
    }

    /// A part of it.
    ///
    /// # Panics
    /// If the part does not lie within.
    pub fn part(self, offset: usize, len: usize) -> Self {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= self.len),
            "a part of host memory"
        );
        Self {
            address: self.address + offset as u64,
            len,
        }
    }

    /// Copies into the enclave, from the start of the range.
    ///
    /// # Panics
    /// If `out` is longer than the range.
    pub fn read(self, out: &mut [u8]) {
        assert!(out.len() <= self.len, "a read beyond host memory");
        // SAFETY: source in the host's memory, destination exclusively ours; the assembly is opaque to the compiler.
        let fault = unsafe { host_copy::read(out.as_mut_ptr() as u64, self.address, out.len()) };
        assert!(fault == 0, "no program's memory is involved");
    }

    /// Copies out of the enclave, to the start of the range.
    ///
    /// # Panics
    /// If `bytes` are longer than the range.
    pub fn write(self, bytes: &[u8]) {
        assert!(bytes.len() <= self.len, "a write beyond host memory");
        // SAFETY: the destination lies outside the enclave.
        let fault = unsafe { host_copy::write(self.address, bytes.as_ptr() as u64, bytes.len()) };
        assert!(fault == 0, "no program's memory is involved");
    }

    /// Copies within the host's memory, by way of the enclave. The ranges may overlap if this one begins first. For the host nothing
    /// changes by it, to whom the bytes belong already.
    ///
    /// # Panics
    /// If `from` is longer than the range.
    pub fn copy_from(self, from: Self) {
        let mut piece = [0u8; 4096];
        let mut done = 0;
        while done < from.len() {
            let count = (from.len() - done).min(piece.len());
            let piece = &mut piece[..count];
            from.part(done, count).read(piece);
            self.part(done, count).write(piece);
            done += count;
        }
    }

    pub(crate) fn address(self) -> u64 {
        self.address
    }
}
