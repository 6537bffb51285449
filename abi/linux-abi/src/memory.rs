//! Memory mappings: mmap(2), mremap(2), madvise(2), msync(2), memfd_create(2).

flags! {
    /// What may be done with a page.
    pub struct ProtectionFlags(u32) {
        PROT_READ = 0x1,
        PROT_WRITE = 0x2,
        PROT_EXEC = 0x4,
        PROT_SEM = 0x8,
        PROT_GROWSDOWN = 0x0100_0000,
        PROT_GROWSUP = 0x0200_0000,
    }
}

impl ProtectionFlags {
    /// Reading, writing and executing.
    pub const ACCESS: Self = Self::PROT_READ.union(Self::PROT_WRITE).union(Self::PROT_EXEC);
}

flags! {
    /// How a mapping is made.
    ///
    /// The lowest four bits are not a set but the kind of the mapping: see [`MapFlags::MAP_TYPE`].
    pub struct MapFlags(u32) {
        MAP_SHARED = 0x01,
        MAP_PRIVATE = 0x02,
        MAP_SHARED_VALIDATE = 0x03,
        MAP_FIXED = 0x10,
        MAP_ANONYMOUS = 0x20,
        MAP_32BIT = 0x40,
        MAP_ABOVE4G = 0x80,
        MAP_GROWSDOWN = 0x0100,
        MAP_DENYWRITE = 0x0800,
        MAP_EXECUTABLE = 0x1000,
        MAP_LOCKED = 0x2000,
        MAP_NORESERVE = 0x4000,
        MAP_POPULATE = 0x8000,
        MAP_NONBLOCK = 0x1_0000,
        MAP_STACK = 0x2_0000,
        MAP_HUGETLB = 0x4_0000,
        MAP_SYNC = 0x8_0000,
        MAP_FIXED_NOREPLACE = 0x10_0000,
    }
}

impl MapFlags {
    /// `MAP_TYPE`, as far as it is used: the bits that tell shared mappings from private ones.
    pub const MAP_TYPE: Self = Self::MAP_SHARED_VALIDATE;

    /// `LEGACY_MAP_MASK` of the kernel: what MAP_SHARED_VALIDATE takes of every file. The upper bits are the size of huge pages.
    pub const LEGACY_MASK: Self = Self::MAP_TYPE
        .union(Self::MAP_FIXED)
        .union(Self::MAP_ANONYMOUS)
        .union(Self::MAP_32BIT)
        .union(Self::MAP_ABOVE4G)
        .union(Self::MAP_GROWSDOWN)
        .union(Self::MAP_DENYWRITE)
        .union(Self::MAP_EXECUTABLE)
        .union(Self::MAP_LOCKED)
        .union(Self::MAP_NORESERVE)
        .union(Self::MAP_POPULATE)
        .union(Self::MAP_NONBLOCK)
        .union(Self::MAP_STACK)
        .union(Self::MAP_HUGETLB)
        .union(Self::from_bits_retain(0xfc00_0000));
}

flags! {
    /// How `mlock2` locks.
    pub struct LockFlags(u32) {
        MLOCK_ONFAULT = 1,
    }
}

flags! {
    /// What `mlockall` locks.
    pub struct LockAllFlags(u32) {
        MCL_CURRENT = 1,
        MCL_FUTURE = 2,
        MCL_ONFAULT = 4,
    }
}

flags! {
    /// How `mremap` may resize and move a mapping.
    pub struct RemapFlags(u32) {
        MREMAP_MAYMOVE = 1,
        MREMAP_FIXED = 2,
        MREMAP_DONTUNMAP = 4,
    }
}

numbers! {
    /// What `madvise` is told.
    pub struct MemoryAdvice(u32) {
        MADV_NORMAL = 0,
        MADV_RANDOM = 1,
        MADV_SEQUENTIAL = 2,
        MADV_WILLNEED = 3,
        MADV_DONTNEED = 4,
        MADV_FREE = 8,
        MADV_DONTFORK = 10,
        MADV_DOFORK = 11,
        MADV_MERGEABLE = 12,
        MADV_UNMERGEABLE = 13,
        MADV_HUGEPAGE = 14,
        MADV_NOHUGEPAGE = 15,
        MADV_DONTDUMP = 16,
        MADV_DODUMP = 17,
        MADV_WIPEONFORK = 18,
        MADV_KEEPONFORK = 19,
        MADV_COLD = 20,
        MADV_PAGEOUT = 21,
        MADV_POPULATE_READ = 22,
        MADV_POPULATE_WRITE = 23,
        MADV_COLLAPSE = 25,
    }
}

flags! {
    /// How `msync` writes back.
    pub struct SyncFlags(u32) {
        MS_ASYNC = 1,
        MS_INVALIDATE = 2,
        MS_SYNC = 4,
    }
}

flags! {
    /// How `memfd_create` makes a file.
    pub struct MemfdFlags(u32) {
        MFD_CLOEXEC = 0x01,
        MFD_ALLOW_SEALING = 0x02,
        MFD_HUGETLB = 0x04,
        MFD_NOEXEC_SEAL = 0x08,
        MFD_EXEC = 0x10,
    }
}

constants! {
    /// Where the size of huge pages stands in the flags of `memfd_create`, as a power of two in six bits.
    MFD_HUGE_SHIFT: u32 = 26;
    MFD_HUGE_MASK: u32 = 0x3f;
}
