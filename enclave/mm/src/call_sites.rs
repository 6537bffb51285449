//! Applies the image's call-site map to what is mapped (D2): stubs near the mapping, and jumps to them in its pages.

use alloc::sync::Arc;

use host_abi::PageRange;
use kobject::Once;

/// Where the maps of the image's files come from.
pub trait CallSites: Send + Sync {
    /// The encoded map of the file that the image knows by this number.
    fn map_of(&self, key: u64) -> Option<alloc::vec::Vec<u8>>;
}

static SOURCE: Once<Arc<dyn CallSites>> = Once::new();

/// Names the source of maps, once.
pub fn install(source: Arc<dyn CallSites>) {
    SOURCE.get_or_make(|| source);
}

/// The patches of one mapping.
pub(crate) struct Patches {
    pub(crate) stubs: PageRange,
}

impl crate::AddressSpace {
    /// The address that the program knows an instruction by: for one in a stub the original one.
    pub fn canonical_address(&self, rip: u64) -> u64 {
        rip
    }

    /// Where the instruction that the program knows by this address is executed: the reverse.
    pub fn actual_address(&self, rip: u64) -> u64 {
        rip
    }

    /// The address at which a system call is made once more that went on at `continuation`.
    pub fn call_address(&self, continuation: u64) -> u64 {
        continuation - 2
    }
}
