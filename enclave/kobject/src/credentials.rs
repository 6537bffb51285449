//! The identities of a process, and what they permit.

use alloc::vec::Vec;

use linux_abi::stat::S_IXUGO;

use crate::{Errno, Result, Stat};

/// The identities of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file-system user.
    pub uid: [u32; 4],
    /// Real, effective, saved and file-system group.
    pub gid: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What is asked of a file, as bits of a permission triple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessMode(pub u32);

impl AccessMode {
    /// Reading.
    pub const READ: Self = Self(4);
    /// Writing.
    pub const WRITE: Self = Self(2);
    /// Reading and writing.
    pub const READ_WRITE: Self = Self(4 | 2);
    /// Executing, or searching a directory.
    pub const EXECUTE: Self = Self(1);
    /// Everything.
    pub const ALL: Self = Self(4 | 2 | 1);
}

impl Credentials {
    /// These identities in every role.
    pub fn new(uid: u32, gid: u32, groups: Vec<u32>) -> Self {
        Self {
            uid: [uid; 4],
            gid: [gid; 4],
            groups,
        }
    }

    /// The effective user.
    pub fn euid(&self) -> u32 {
        self.uid[1]
    }

    /// The effective group.
    pub fn egid(&self) -> u32 {
        self.gid[1]
    }

    /// The user for file access.
    pub fn fsuid(&self) -> u32 {
        self.uid[3]
    }

    /// The group for file access.
    pub fn fsgid(&self) -> u32 {
        self.gid[3]
    }

    /// Whether permission checks are passed over (CAP_DAC_OVERRIDE, CAP_FOWNER and the rest: only root has them).
    pub fn is_privileged(&self) -> bool {
        self.fsuid() == 0
    }

    /// Whether a group is among the process's.
    pub fn in_group(&self, gid: u32) -> bool {
        self.fsgid() == gid || self.groups.contains(&gid)
    }

    /// Checks a file's permission bits (path_resolution(7)); EACCES.
    pub fn may(&self, stat: &Stat, wanted: AccessMode) -> Result<()> {
        self.permits(stat.kind, stat.permissions, (stat.uid, stat.gid), wanted)
    }

    /// As [`Self::may`], for a file of this kind with these permission bits and this owner.
    pub fn permits(
        &self,
        kind: crate::FileKind,
        permissions: u32,
        (uid, gid): (u32, u32),
        wanted: AccessMode,
    ) -> Result<()> {
        if self.is_privileged() {
            let executable = permissions & S_IXUGO != 0 || kind == crate::FileKind::Directory;
            return if wanted.0 & 1 == 0 || executable {
                Ok(())
            } else {
                Err(Errno::EACCES)
            };
        }
        let shift = match () {
            () if self.fsuid() == uid => 6,
            () if self.in_group(gid) => 3,
            () => 0,
        };
        if (permissions >> shift) & wanted.0 == wanted.0 {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether the process owns the file or is root; EPERM.
    pub fn owns(&self, stat: &Stat) -> Result<()> {
        if self.is_privileged() || self.fsuid() == stat.uid {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileKind;

    #[test]
    fn the_first_class_that_fits_decides() {
        let mut stat = Stat::new(FileKind::Regular, 0o047, 1);
        (stat.uid, stat.gid) = (10, 20);
        let user = |uid, gid| Credentials::new(uid, gid, Vec::new());
        assert_eq!(user(10, 20).may(&stat, AccessMode::READ), Err(Errno::EACCES));
        assert_eq!(user(11, 20).may(&stat, AccessMode::READ), Ok(()));
        assert_eq!(user(11, 20).may(&stat, AccessMode::WRITE), Err(Errno::EACCES));
        assert_eq!(user(11, 21).may(&stat, AccessMode(7)), Ok(()));
        assert_eq!(user(0, 0).may(&stat, AccessMode::READ), Ok(()));
    }
}
