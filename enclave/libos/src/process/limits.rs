//! Resource limits (getrlimit(2)).

use core::ops::{Index, IndexMut};

use libos_mm::AddressLimits;
use linux_abi::Resource;
use linux_abi::limits::RLIM_INFINITY;

use crate::uapi::Rlimit;

/// RLIMIT_STACK of a container's first process, bytes.
const STACK_SIZE: u64 = 8 << 20;
/// Most bytes of arguments and environment: a quarter of a usual stack.
pub(crate) const MAX_ARGUMENTS: usize = 2 << 20;
/// Most descriptors of a process.
pub(crate) const MAX_FILES: u64 = 1 << 20;

/// The limits of a process.
#[derive(Clone)]
pub(crate) struct Limits(pub(crate) [Rlimit; Resource::COUNT]);

impl Limits {
    /// What a container's first process finds.
    pub(crate) fn initial() -> Self {
        let unlimited = same(RLIM_INFINITY);
        let mut limits = Self([unlimited; Resource::COUNT]);
        limits[Resource::RLIMIT_STACK].current = STACK_SIZE;
        limits[Resource::RLIMIT_CORE].current = 0;
        limits[Resource::RLIMIT_NOFILE] = same(MAX_FILES);
        limits[Resource::RLIMIT_MEMLOCK] = same(8 << 20);
        limits[Resource::RLIMIT_SIGPENDING] = same(4096);
        limits[Resource::RLIMIT_MSGQUEUE] = same(819_200);
        limits[Resource::RLIMIT_NICE] = same(0);
        limits[Resource::RLIMIT_RTPRIO] = same(0);
        limits
    }

    /// Those that an address space heeds.
    pub(crate) fn of_addresses(&self) -> AddressLimits {
        AddressLimits {
            all: self[Resource::RLIMIT_AS].current,
            data: self[Resource::RLIMIT_DATA].current,
        }
    }
}

/// A limit that cannot be raised.
fn same(limit: u64) -> Rlimit {
    Rlimit {
        current: limit,
        maximum: limit,
    }
}

impl Index<Resource> for Limits {
    type Output = Rlimit;

    #[expect(
        clippy::indexing_slicing,
        reason = "asked for by name only, and named limits have a place"
    )]
    fn index(&self, resource: Resource) -> &Rlimit {
        &self.0[resource.index()]
    }
}

impl IndexMut<Resource> for Limits {
    #[expect(
        clippy::indexing_slicing,
        reason = "asked for by name only, and named limits have a place"
    )]
    fn index_mut(&mut self, resource: Resource) -> &mut Rlimit {
        &mut self.0[resource.index()]
    }
}
