//! What is mounted where.

use alloc::vec::Vec;

use kobject::Stat;

/// A mounted file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub path: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// Its options.
    pub options: &'static str,
    /// What `statfs` says it is.
    pub magic: u64,
    /// Number among the mounts, from which st_dev follows.
    minor: u32,
    /// Number of the mount that it is on.
    parent: u32,
}

/// First number of a mount, in `mountinfo` and `statx`.
const FIRST: u32 = 20;

impl Mount {
    /// st_dev.
    pub const fn device(&self) -> u64 {
        Stat::device_number(0, self.minor)
    }

    /// Its number: `stx_mnt_id`, and the first field in `mountinfo`.
    pub const fn number(&self) -> u32 {
        FIRST + self.minor
    }

    /// ST_ bits of its options.
    pub(crate) fn flags(&self) -> u64 {
        const BITS: [(&str, u64); 5] = [
            ("ro", 1),
            ("nosuid", 2),
            ("nodev", 4),
            ("noexec", 8),
            ("noatime", 1024),
        ];
        // ST_VALID says that the kernel filled the field in.
        let bit = |option: &str| {
            BITS.iter()
                .find(|(name, _)| *name == option)
                .map_or(0, |(_, bit)| *bit)
        };
        self.options.split(',').map(bit).sum::<u64>() | 0x20
    }

    const fn new(
        path: &'static str,
        kind: &'static str,
        options: &'static str,
        magic: u64,
        numbers: (u32, u32),
    ) -> Self {
        let (minor, parent) = numbers;
        Self {
            path,
            kind,
            options,
            magic,
            minor,
            parent,
        }
    }
}

/// The root: the overlay.
pub const ROOT: Mount = Mount::new("/", "overlay", "rw,noatime", 0x794c_7630, (1, 0));
/// `/proc`
pub const PROC: Mount = Mount::new("/proc", "proc", "rw,nosuid,nodev,noexec,noatime", 0x9fa0, (2, 1));
/// `/sys`
pub const SYS: Mount = Mount::new(
    "/sys",
    "sysfs",
    "ro,nosuid,nodev,noexec,noatime",
    0x6265_6572,
    (3, 1),
);
/// `/dev`
pub const DEV: Mount = Mount::new("/dev", "tmpfs", "rw,nosuid,noatime,mode=755", 0x0102_1994, (4, 1));
/// `/dev/shm`
pub const SHM: Mount = Mount::new(
    "/dev/shm",
    "tmpfs",
    "rw,nosuid,nodev,noexec,noatime",
    0x0102_1994,
    (5, 4),
);
/// `/dev/attestation`, whose magic number is of our own making.
pub const ATTESTATION: Mount = Mount::new(
    "/dev/attestation",
    "attestation",
    "rw,nosuid,nodev,noexec,noatime",
    0x6174_7465,
    (7, 4),
);
/// Files without a name (`memfd_create`), which are mounted nowhere.
pub(crate) const ANONYMOUS: Mount = Mount::new("", "tmpfs", "rw", 0x0102_1994, (6, 0));

/// All that have a path.
pub const ALL: &[Mount] = &[ROOT, PROC, DEV, SHM, ATTESTATION, SYS];

/// `/proc/mounts`
pub(crate) fn mounts(all: &[Mount]) -> Vec<u8> {
    let line = |mount: &Mount| {
        alloc::format!(
            "{} {} {} {} 0 0\n",
            mount.kind,
            mount.path,
            mount.kind,
            mount.options
        )
    };
    all.iter().flat_map(|mount| line(mount).into_bytes()).collect()
}

/// `/proc/self/mountinfo`
pub(crate) fn mount_info(all: &[Mount]) -> Vec<u8> {
    let line = |mount: &Mount| {
        let (number, parent) = (mount.number(), FIRST + mount.parent);
        let (access, _) = mount.options.split_at(2);
        let Mount {
            path,
            kind,
            options,
            minor,
            ..
        } = mount;
        alloc::format!("{number} {parent} 0:{minor} / {path} {options} - {kind} {kind} {access}\n")
    };
    all.iter().flat_map(|mount| line(mount).into_bytes()).collect()
}
