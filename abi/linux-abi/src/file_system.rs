//! File systems and names in them: statfs(2), rename(2), xattr(7), path_resolution(7).

flags! {
    /// `f_flags` of `struct statfs` (statvfs(3)).
    pub struct MountFlags(u64) {
        ST_RDONLY = 0x1,
        ST_NOSUID = 0x2,
        ST_NODEV = 0x4,
        ST_NOEXEC = 0x8,
        /// The kernel has filled in the field.
        ST_VALID = 0x20,
        ST_NOATIME = 0x400,
    }
}

flags! {
    /// How `renameat2` renames.
    pub struct RenameFlags(u32) {
        RENAME_NOREPLACE = 1 << 0,
        RENAME_EXCHANGE = 1 << 1,
    }
}

flags! {
    /// How `setxattr` sets.
    pub struct XattrFlags(u32) {
        XATTR_CREATE = 1,
        XATTR_REPLACE = 2,
    }
}

constants! {
    /// Bytes of a path, with the NUL behind it.
    PATH_MAX: usize = 4096;
    /// Bytes of a name in a directory.
    NAME_MAX: usize = 255;
    /// Bytes of an extended attribute's name.
    XATTR_NAME_MAX: usize = 255;
    /// Bytes of an extended attribute's value.
    XATTR_SIZE_MAX: usize = 65_536;
    CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;
    DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;
    OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;
    PIPEFS_MAGIC: u64 = 0x5049_5045;
    PROC_SUPER_MAGIC: u64 = 0x9fa0;
    SYSFS_MAGIC: u64 = 0x6265_6572;
    TMPFS_MAGIC: u64 = 0x0102_1994;
    /// Symbolic links of one path walk (the kernel's own name).
    MAXSYMLINKS: u32 = 40;
    /// Bytes of the name of a file of `memfd_create` (the kernel's own name).
    MFD_NAME_MAX_LEN: usize = 249;
}
