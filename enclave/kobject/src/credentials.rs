//! The identities of a process, and what they permit.

use alloc::vec::Vec;

use linux_abi::Capabilities;
use linux_abi::stat::S_IXUGO;

use crate::{Errno, FileKind, Privileges, Result, Stat};

/// The identities of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file-system user.
    pub uid: [u32; 4],
    /// Real, effective, saved and file-system group.
    pub gid: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capabilities, which follow the users.
    pub privileges: Privileges,
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

/// Whose program it is that is executed, by the set-user-ID and set-group-ID bits of its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetIds {
    /// The effective user.
    pub user: Option<u32>,
    /// The effective group.
    pub group: Option<u32>,
}

impl Credentials {
    /// These identities in every role, with the capabilities of a container's first program.
    pub fn new(uid: u32, gid: u32, groups: Vec<u32>) -> Self {
        Self {
            uid: [uid; 4],
            gid: [gid; 4],
            groups,
            privileges: Privileges::first(uid),
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

    /// Whether these capabilities are effective.
    pub fn has(&self, capabilities: Capabilities) -> bool {
        self.privileges.effective.contains(capabilities)
    }

    /// EPERM unless these capabilities are effective.
    pub fn require(&self, capabilities: Capabilities) -> Result<()> {
        self.privileges.require(capabilities)
    }

    /// Sets the users in every role; the capabilities follow (setuid(2) and its kin).
    pub fn set_users(&mut self, users: [u32; 4]) {
        let [real, effective, saved, _] = self.uid;
        let old = [real, effective, saved];
        let [real, effective, saved, _] = users;
        self.uid = users;
        self.privileges.follow_users(old, [real, effective, saved]);
    }

    /// Sets the user for file access; the capabilities that concern files follow (setfsuid(2)).
    pub fn set_file_user(&mut self, user: u32) {
        let old = core::mem::replace(&mut self.uid[3], user);
        self.privileges.follow_file_user(old, user);
    }

    /// As the real identities see files (access(2)).
    pub fn as_real(mut self) -> Self {
        self.uid[3] = self.uid[0];
        self.gid[3] = self.gid[0];
        self.privileges.of_real_user(self.uid[0]);
        self
    }

    /// Those of the program that these execute (execve(2)), whose file has no capabilities of its own.
    pub fn executed(mut self, by_file: SetIds) -> Self {
        let [real, effective, ..] = self.uid;
        let effective = by_file.user.unwrap_or(effective);
        self.uid = [real, effective, effective, effective];
        let [real_group, effective_group, ..] = self.gid;
        let effective_group = by_file.group.unwrap_or(effective_group);
        self.gid = [real_group, effective_group, effective_group, effective_group];
        if effective != real || effective_group != real_group {
            // What a user has passed on is not for who acts as somebody else.
            self.privileges.clear_ambient();
        }
        self.privileges.execute(real, effective);
        self
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
        kind: FileKind,
        permissions: u32,
        (uid, gid): (u32, u32),
        wanted: AccessMode,
    ) -> Result<()> {
        let shift = match () {
            () if self.fsuid() == uid => 6,
            () if self.in_group(gid) => 3,
            () => 0,
        };
        if (permissions >> shift) & wanted.0 == wanted.0 || self.overrides(kind, permissions, wanted) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether capabilities give what the permission bits refuse (generic_permission of the kernel).
    fn overrides(&self, kind: FileKind, permissions: u32, wanted: AccessMode) -> bool {
        let wants = |mode: AccessMode| wanted.0 & mode.0 != 0;
        let (only_looks, is_possible) = match kind {
            FileKind::Directory => (!wants(AccessMode::WRITE), true),
            // Nobody executes what is executable for nobody.
            _ => (
                wanted == AccessMode::READ,
                !wants(AccessMode::EXECUTE) || permissions & S_IXUGO != 0,
            ),
        };
        (only_looks && self.has(Capabilities::CAP_DAC_READ_SEARCH))
            || (is_possible && self.has(Capabilities::CAP_DAC_OVERRIDE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    #[test]
    fn capabilities_override_permission_bits() {
        let with = |capabilities| {
            let mut user = Credentials::new(10, 10, Vec::new());
            user.privileges.effective = capabilities;
            user
        };
        let permits = |user: &Credentials, kind, permissions, wanted| {
            user.permits(kind, permissions, (0, 0), wanted).is_ok()
        };
        let (read, write, execute) = (AccessMode::READ, AccessMode::WRITE, AccessMode::EXECUTE);
        let (file, directory) = (FileKind::Regular, FileKind::Directory);
        let looks = with(Capabilities::CAP_DAC_READ_SEARCH);
        assert!(permits(&looks, file, 0, read) && !permits(&looks, file, 0, write));
        assert!(!permits(&looks, file, 0, AccessMode::READ_WRITE) && !permits(&looks, file, 0o100, execute));
        assert!(permits(&looks, directory, 0, AccessMode(4 | 1)) && !permits(&looks, directory, 0, write));
        let overrides = with(Capabilities::CAP_DAC_OVERRIDE);
        assert!(
            permits(&overrides, file, 0, AccessMode::READ_WRITE) && !permits(&overrides, file, 0, execute)
        );
        assert!(
            permits(&overrides, file, 0o100, execute) && permits(&overrides, directory, 0, AccessMode::ALL)
        );
        let powerless =
            with(Capabilities::all() - looks.privileges.effective - overrides.privileges.effective);
        assert!(!permits(&powerless, file, 0o600, read) && permits(&powerless, file, 0o604, read));
    }

    #[test]
    fn a_program_has_the_effective_users_for_saved_ones() {
        let mut before = Credentials::new(0, 0, Vec::new());
        before.gid = [1, 2, 3, 4];
        before.set_users([1000, 2000, 3000, 2000]);
        before.set_file_user(1000);
        let after = before.executed(SetIds::default());
        assert_eq!((after.uid, after.gid), ([1000, 2000, 2000, 2000], [1, 2, 2, 2]));
        assert_eq!(after.privileges.permitted, Capabilities::empty());
    }

    #[test]
    fn access_asks_as_the_real_user() {
        let mut root = Credentials::new(0, 0, Vec::new());
        root.set_users([0, 1000, 0, 1000]);
        assert!(!root.has(Capabilities::CAP_DAC_OVERRIDE));
        assert!(root.clone().as_real().has(Capabilities::CAP_DAC_OVERRIDE));
        root.set_users([1000, 0, 0, 0]);
        assert!(root.has(Capabilities::CAP_DAC_OVERRIDE));
        assert!(!root.as_real().has(Capabilities::CAP_DAC_OVERRIDE));
    }
}
