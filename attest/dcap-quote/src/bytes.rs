//! A reader of byte strings that neither panics nor skips a byte unnoticed.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The bytes ended before the field did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truncated;

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Truncated> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `count` bytes.
    pub(crate) fn slice(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// A little-endian 16-bit number.
    pub(crate) fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().copied().map(u16::from_le_bytes)
    }

    /// A little-endian 32-bit number.
    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().copied().map(u32::from_le_bytes)
    }

    /// A little-endian 64-bit number.
    pub(crate) fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().copied().map(u64::from_le_bytes)
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}
