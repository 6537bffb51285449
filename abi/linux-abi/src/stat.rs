//! Attributes of files: inode(7), statx(2), utimensat(2).

flags! {
    /// Which attributes `statx` is asked for, and which it gives.
    pub struct StatxMask(u32) {
        STATX_BASIC_STATS = 0x07ff,
        STATX_BTIME = 0x0800,
        STATX_MNT_ID = 0x1000,
        STATX__RESERVED = 0x8000_0000,
    }
}

constants! {
    /// The bits of st_mode that are the file's type.
    S_IFMT: u32 = 0o170000;
    S_IFSOCK: u32 = 0o140000;
    S_IFLNK: u32 = 0o120000;
    S_IFREG: u32 = 0o100000;
    S_IFBLK: u32 = 0o060000;
    S_IFDIR: u32 = 0o040000;
    S_IFCHR: u32 = 0o020000;
    S_IFIFO: u32 = 0o010000;
    S_ISUID: u32 = 0o4000;
    S_ISGID: u32 = 0o2000;
    S_ISVTX: u32 = 0o1000;
    S_IRUSR: u32 = 0o400;
    S_IWUSR: u32 = 0o200;
    S_IXUSR: u32 = 0o100;
    S_IXGRP: u32 = 0o010;
    /// All permission bits, with set-id and sticky bits (the kernel's own name).
    S_IALLUGO: u32 = 0o7777;
    /// The permission bits of owner, group and others (the kernel's own name).
    S_IRWXUGO: u32 = 0o777;
    /// The bits for running a file, of owner, group and others (the kernel's own name).
    S_IXUGO: u32 = 0o111;
    UTIME_NOW: i64 = (1 << 30) - 1;
    UTIME_OMIT: i64 = (1 << 30) - 2;
}

/// A device's number as st_dev and st_rdev hold it (makedev(3)).
pub const fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// The major number of a device (makedev(3)).
pub const fn major(device: u64) -> u32 {
    ((device >> 8) & 0xfff | (device >> 32) & !0xfff) as u32
}

/// The minor number of a device (makedev(3)).
pub const fn minor(device: u64) -> u32 {
    (device & 0xff | (device >> 12) & !0xff) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_packed_as_the_c_library_does() {
        for (of_major, of_minor) in [(0, 0), (1, 3), (8, 0x12345), (0xfff, 0xff), (0xabcde, 0xfffff)] {
            let device = makedev(of_major, of_minor);
            assert_eq!(device, libc::makedev(of_major, of_minor));
            assert_eq!((major(device), minor(device)), (of_major, of_minor));
        }
    }
}
