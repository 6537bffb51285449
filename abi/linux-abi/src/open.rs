//! Opening files: O_, AT_ and RESOLVE_ bits (open(2), openat2(2)).

flags! {
    /// How a file is opened, and the flags of an open file (`F_GETFL`).
    pub struct OpenFlags(u32) {
        /// With [`OpenFlags::O_RDWR`] the access mode, of which `O_RDONLY` is zero.
        O_WRONLY = 0o1,
        O_RDWR = 0o2,
        O_CREAT = 0o100,
        O_EXCL = 0o200,
        O_NOCTTY = 0o400,
        O_TRUNC = 0o1000,
        O_APPEND = 0o2000,
        O_NONBLOCK = 0o4000,
        O_DSYNC = 0o10000,
        O_ASYNC = 0o20000,
        O_DIRECT = 0o40000,
        O_LARGEFILE = 0o100000,
        O_DIRECTORY = 0o200000,
        O_NOFOLLOW = 0o400000,
        O_NOATIME = 0o1000000,
        O_CLOEXEC = 0o2000000,
        /// `O_SYNC` is this with [`OpenFlags::O_DSYNC`].
        __O_SYNC = 0o4000000,
        O_PATH = 0o10000000,
        /// `O_TMPFILE` is this with [`OpenFlags::O_DIRECTORY`].
        __O_TMPFILE = 0o20000000,
    }
}

impl OpenFlags {
    /// `O_ACCMODE`.
    pub const O_ACCMODE: Self = Self::O_WRONLY.union(Self::O_RDWR);

    /// What `F_SETFL` may change (`SETFL_MASK` of the kernel).
    pub const SETTABLE: Self = Self::O_APPEND
        .union(Self::O_NONBLOCK)
        .union(Self::O_ASYNC)
        .union(Self::O_DIRECT)
        .union(Self::O_NOATIME);

    /// Whether a file that is opened like this can be read.
    pub const fn readable(self) -> bool {
        !self.contains(Self::O_WRONLY) && !self.contains(Self::O_PATH)
    }

    /// Whether a file that is opened like this can be written.
    pub const fn writable(self) -> bool {
        self.intersects(Self::O_ACCMODE) && !self.contains(Self::O_PATH)
    }
}

flags! {
    /// How calls that take a directory's descriptor and a path treat the path.
    ///
    /// `AT_REMOVEDIR` and `AT_EACCESS` are one bit, which `unlinkat` and `faccessat2` read differently.
    pub struct AtFlags(u32) {
        AT_SYMLINK_NOFOLLOW = 0x100,
        AT_REMOVEDIR = 0x200,
        AT_EACCESS = 0x200,
        AT_SYMLINK_FOLLOW = 0x400,
        AT_NO_AUTOMOUNT = 0x800,
        AT_EMPTY_PATH = 0x1000,
        AT_STATX_FORCE_SYNC = 0x2000,
        AT_STATX_DONT_SYNC = 0x4000,
        AT_STATX_SYNC_TYPE = 0x6000,
    }
}

flags! {
    /// Which ways `openat2` may take.
    pub struct ResolveFlags(u64) {
        RESOLVE_NO_XDEV = 0x01,
        RESOLVE_NO_MAGICLINKS = 0x02,
        RESOLVE_NO_SYMLINKS = 0x04,
        RESOLVE_BENEATH = 0x08,
        RESOLVE_IN_ROOT = 0x10,
        RESOLVE_CACHED = 0x20,
    }
}

flags! {
    /// How `close_range` closes.
    pub struct CloseRangeFlags(u32) {
        CLOSE_RANGE_UNSHARE = 1 << 1,
        CLOSE_RANGE_CLOEXEC = 1 << 2,
    }
}

constants! {
    /// The working directory, in place of a descriptor.
    AT_FDCWD: i32 = -100;
    /// Bytes of the first version of `struct open_how`.
    OPEN_HOW_SIZE_VER0: usize = 24;
}
