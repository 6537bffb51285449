//! Where memory lies: set_mempolicy(2), mbind(2).

numbers! {
    /// How pages are spread over nodes.
    pub struct MemoryPolicyMode(u32) {
        MPOL_DEFAULT = 0,
        MPOL_PREFERRED = 1,
        MPOL_BIND = 2,
        MPOL_INTERLEAVE = 3,
        MPOL_LOCAL = 4,
        MPOL_PREFERRED_MANY = 5,
        MPOL_WEIGHTED_INTERLEAVE = 6,
    }
}

flags! {
    /// What stands beside a [`MemoryPolicyMode`] in the same argument.
    pub struct MemoryPolicyModeFlags(u32) {
        MPOL_F_NUMA_BALANCING = 1 << 13,
        MPOL_F_RELATIVE_NODES = 1 << 14,
        MPOL_F_STATIC_NODES = 1 << 15,
    }
}

impl MemoryPolicyModeFlags {
    /// `MPOL_USER_NODEMASK_FLAGS` of the kernel: what the numbers of nodes mean.
    pub const NUMBERS: Self = Self::MPOL_F_RELATIVE_NODES.union(Self::MPOL_F_STATIC_NODES);
}

flags! {
    /// What `get_mempolicy` is asked.
    pub struct PolicyQuery(u64) {
        MPOL_F_NODE = 1 << 0,
        MPOL_F_ADDR = 1 << 1,
        MPOL_F_MEMS_ALLOWED = 1 << 2,
    }
}

flags! {
    /// What `mbind` and `move_pages` do about pages that lie elsewhere.
    pub struct BindFlags(u32) {
        MPOL_MF_STRICT = 1 << 0,
        MPOL_MF_MOVE = 1 << 1,
        MPOL_MF_MOVE_ALL = 1 << 2,
    }
}

constants! {
    /// The bits of an argument that are [`MemoryPolicyModeFlags`].
    MPOL_MODE_FLAGS: u32 = 0b111 << 13;
    /// Nodes that Linux may have: bits of a mask that may be set.
    MAX_NODES: usize = 1024;
}
