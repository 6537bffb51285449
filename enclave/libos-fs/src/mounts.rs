//! The mount table of a container: which file system is where.
//!
//! [`MountTable::add`] numbers a mount, from which `st_dev` follows, and finds the mount that it is on by its path. The table tells what is
//! mounted; that a path leads there is an entry of its directory (see `Vfs::mount`).

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::SpinLock;
use linux_abi::MountFlags;
use linux_abi::file_system::{
    CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC,
    TMPFS_MAGIC,
};
use linux_abi::stat::makedev;

/// The names of the types of file systems that there are, and whether their files lie on a device.
pub const FILE_SYSTEM_TYPES: &[(&str, bool)] = &[
    ("sysfs", false),
    ("tmpfs", false),
    ("proc", false),
    ("cgroup2", false),
    ("devpts", false),
    ("attestation", false),
    ("overlay", false),
    ("erofs", true),
];

/// `/proc/filesystems`
pub(crate) fn file_systems() -> Vec<u8> {
    let line = |(name, on_device): &(&str, bool)| match on_device {
        true => alloc::format!("\t{name}\n").into_bytes(),
        false => alloc::format!("nodev\t{name}\n").into_bytes(),
    };
    FILE_SYSTEM_TYPES.iter().flat_map(line).collect()
}

/// A type of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSystemType {
    /// As `/proc/mounts` names it.
    name: &'static str,
    /// What `statfs` says it is.
    magic: u64,
    /// Whether its files take memory of the container's, so that `statfs` tells how much there is.
    is_in_memory: bool,
}

impl FileSystemType {
    /// The root: the image, with what was written in memory over it.
    pub(crate) const OVERLAY: Self = Self::new("overlay", OVERLAYFS_SUPER_MAGIC, true);
    pub(crate) const TMPFS: Self = Self::new("tmpfs", TMPFS_MAGIC, true);
    /// `/dev/pts`
    pub(crate) const DEVPTS: Self = Self::new("devpts", DEVPTS_SUPER_MAGIC, true);
    pub(crate) const PROC: Self = Self::new("proc", PROC_SUPER_MAGIC, false);
    pub(crate) const SYSFS: Self = Self::new("sysfs", SYSFS_MAGIC, false);
    pub(crate) const CGROUP2: Self = Self::new("cgroup2", CGROUP2_SUPER_MAGIC, false);
    /// `/dev/attestation`, whose magic number is of our own making.
    pub(crate) const ATTESTATION: Self = Self::new("attestation", 0x6174_7465, false);

    const fn new(name: &'static str, magic: u64, is_in_memory: bool) -> Self {
        Self {
            name,
            magic,
            is_in_memory,
        }
    }
}

/// What container runtimes give to file systems that hold no programs and no devices.
pub(crate) const DATA_ONLY: MountFlags = MountFlags::ST_NOSUID
    .union(MountFlags::ST_NODEV)
    .union(MountFlags::ST_NOEXEC)
    .union(MountFlags::ST_NOATIME);

/// The names of flags in `/proc/mounts`, in the order in which it has them.
fn option_names(flags: MountFlags) -> impl Iterator<Item = &'static str> {
    const NAMES: [(MountFlags, &str); 4] = [
        (MountFlags::ST_NOSUID, "nosuid"),
        (MountFlags::ST_NODEV, "nodev"),
        (MountFlags::ST_NOEXEC, "noexec"),
        (MountFlags::ST_NOATIME, "noatime"),
    ];
    NAMES
        .into_iter()
        .filter(move |(flag, _)| flags.contains(*flag))
        .map(|(_, name)| name)
}

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where; empty for one that is mounted nowhere.
    path: Arc<str>,
    kind: FileSystemType,
    flags: MountFlags,
    /// Options of its type, as `/proc/mounts` shows them; empty for none.
    own_options: &'static str,
    /// Its place among the mounts, from 1 on.
    minor: u32,
    /// The place of the mount that it is on; 0 for the root.
    parent: u32,
}

/// First number of a mount, in `mountinfo` and `statx`.
const FIRST: u32 = 20;

impl Mount {
    /// Its number: `stx_mnt_id`, and the first field in `mountinfo`.
    pub fn number(&self) -> u32 {
        FIRST + self.minor
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// st_dev.
    pub(crate) fn device(&self) -> u64 {
        makedev(0, self.minor)
    }

    /// What `statfs` says that it is.
    pub(crate) fn magic(&self) -> u64 {
        self.kind.magic
    }

    /// Whether its files take memory of the container's.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.kind.is_in_memory
    }

    /// Whether programs on it run as their owners if their bits say so.
    pub(crate) fn heeds_set_ids(&self) -> bool {
        !self.flags.contains(MountFlags::ST_NOSUID)
    }

    /// Whether no program on it can be executed.
    pub(crate) fn has_no_programs(&self) -> bool {
        self.flags.contains(MountFlags::ST_NOEXEC)
    }

    /// Whether nothing can be written to it.
    pub(crate) fn is_read_only(&self) -> bool {
        self.flags.contains(MountFlags::ST_RDONLY)
    }

    /// `f_flags` of `statfs`.
    pub(crate) fn statfs_flags(&self) -> MountFlags {
        self.flags | MountFlags::ST_VALID
    }

    fn access(&self) -> &'static str {
        if self.is_read_only() { "ro" } else { "rw" }
    }

    /// All options, as `/proc/mounts` has them.
    fn options(&self) -> Vec<&'static str> {
        let own = Some(self.own_options).filter(|own| !own.is_empty());
        [self.access()]
            .into_iter()
            .chain(option_names(self.flags))
            .chain(own)
            .collect()
    }
}

/// The mounts of a container, in the order in which they were made.
pub(crate) struct MountTable(SpinLock<Vec<Mount>>);

impl MountTable {
    /// Nothing is mounted.
    pub(crate) fn new() -> Self {
        Self(SpinLock::new(Vec::new()))
    }

    /// Adds a mount at `path`, which is on the mount that has the longest part of it. An empty path is for files without a name
    /// (`memfd_create`): they have a device number, and are shown nowhere.
    pub(crate) fn add(
        &self,
        path: &str,
        kind: FileSystemType,
        flags: MountFlags,
        own_options: &'static str,
    ) -> Mount {
        let mut mounts = self.0.lock();
        let on = mounts
            .iter()
            .filter(|mount| is_below(path, &mount.path))
            .max_by_key(|mount| mount.path.len());
        let mount = Mount {
            path: path.into(),
            kind,
            flags,
            own_options,
            minor: mounts.last().map_or(1, |last| last.minor.saturating_add(1)),
            parent: on.map_or(0, |mount| mount.minor),
        };
        mounts.push(mount.clone());
        mount
    }

    /// The mount that a file with this st_dev is on.
    pub(crate) fn of_device(&self, device: u64) -> Option<Mount> {
        let mounts = self.0.lock();
        mounts.iter().find(|mount| mount.device() == device).cloned()
    }

    /// `/proc/self/mountstats`
    pub(crate) fn mount_statistics(&self) -> Vec<u8> {
        self.lines(|mount| {
            let (kind, path) = (mount.kind.name, &mount.path);
            format!("device {kind} mounted on {path} with fstype {kind}\n")
        })
    }

    /// `/proc/mounts`
    pub(crate) fn mounts(&self) -> Vec<u8> {
        self.lines(|mount| {
            let (kind, path, options) = (mount.kind.name, &mount.path, mount.options().join(","));
            alloc::format!("{kind} {path} {kind} {options} 0 0\n")
        })
    }

    /// `/proc/self/mountinfo`
    pub(crate) fn mount_info(&self) -> Vec<u8> {
        self.lines(|mount| {
            let (number, parent, minor) = (mount.number(), FIRST + mount.parent, mount.minor);
            let (path, kind, access) = (&mount.path, mount.kind.name, mount.access());
            let options = mount.options().join(",");
            alloc::format!("{number} {parent} 0:{minor} / {path} {options} - {kind} {kind} {access}\n")
        })
    }

    fn lines(&self, line: impl Fn(&Mount) -> alloc::string::String) -> Vec<u8> {
        let mounts = self.0.lock().clone();
        let shown = mounts.iter().filter(|mount| !mount.path.is_empty());
        shown.flat_map(|mount| line(mount).into_bytes()).collect()
    }
}

/// Whether `path` lies in the directory `of`.
fn is_below(path: &str, of: &str) -> bool {
    let rest = path.strip_prefix(of.trim_end_matches('/'));
    !of.is_empty() && rest.is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_on_the_one_that_has_most_of_its_path() {
        let table = MountTable::new();
        let tmpfs = |path: &str| table.add(path, FileSystemType::TMPFS, DATA_ONLY, "");
        let parents = ["/", "/dev", "", "/dev/shm", "/devices", "/dev/shm/deep/er"]
            .map(tmpfs)
            .map(|mount| mount.parent);
        assert_eq!(parents, [0, 1, 0, 2, 1, 4]);
        let fourth = table.of_device(makedev(0, 4)).unwrap();
        assert_eq!((fourth.path(), fourth.number()), ("/dev/shm", 24));
        assert_eq!(table.of_device(makedev(0, 7)), None);
    }

    #[test]
    fn mounts_are_shown_as_linux_shows_them() {
        let table = MountTable::new();
        table.add("/", FileSystemType::OVERLAY, MountFlags::ST_NOATIME, "");
        table.add("", FileSystemType::TMPFS, MountFlags::empty(), "");
        table.add(
            "/sys",
            FileSystemType::SYSFS,
            DATA_ONLY | MountFlags::ST_RDONLY,
            "mode=755",
        );
        let text = |bytes| alloc::string::String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(table.mounts()),
            "overlay / overlay rw,noatime 0 0\nsysfs /sys sysfs ro,nosuid,nodev,noexec,noatime,mode=755 0 0\n"
        );
        assert_eq!(
            text(table.mount_info()),
            "21 20 0:1 / / rw,noatime - overlay overlay rw\n\
             23 21 0:3 / /sys ro,nosuid,nodev,noexec,noatime,mode=755 - sysfs sysfs ro\n"
        );
    }
}
