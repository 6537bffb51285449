//! Socket addresses: the bytes of Linux's `sockaddr`.

use host_abi::MAX_SOCKADDR;
use kobject::{Errno, Result};
use linux_abi::AddressFamily;

/// Bytes of the longest address (`struct sockaddr_storage`).
pub const MAX_ADDRESS: usize = MAX_SOCKADDR;

/// An address, family first, as programs read and write it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SocketAddress {
    bytes: [u8; MAX_ADDRESS],
    len: usize,
}

impl SocketAddress {
    /// From the bytes that a program gives; EINVAL if there are too many.
    pub fn new(address: &[u8]) -> Result<Self> {
        let mut bytes = [0; MAX_ADDRESS];
        let place = bytes.get_mut(..address.len()).ok_or(Errno::EINVAL)?;
        place.copy_from_slice(address);
        let len = address.len();
        Ok(Self { bytes, len })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl core::fmt::Debug for SocketAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("SocketAddress").field(&self.as_bytes()).finish()
    }
}

/// The family of an address; EINVAL if there is none.
pub(super) fn family(address: &[u8]) -> Result<AddressFamily> {
    let (family, _) = address.split_first_chunk().ok_or(Errno::EINVAL)?;
    Ok(AddressFamily(u16::from_ne_bytes(*family)))
}
