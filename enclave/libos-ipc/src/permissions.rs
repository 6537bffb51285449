//! Who may do what with an object (ipc/util.c).

use kobject::{Credentials, Errno, Result};
use linux_abi::Capabilities;
use linux_abi::stat::S_IRWXUGO;

use crate::Caller;

/// Reading, and changing: as file modes, for whoever it is.
pub(crate) const READ: u32 = 0o444;
pub(crate) const WRITE: u32 = 0o222;
pub(crate) const EXECUTE: u32 = 0o111;

/// `struct kern_ipc_perm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// What it was made with; `IPC_PRIVATE` if nobody finds it.
    pub key: i32,
    /// Owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Maker.
    pub creator: u32,
    /// Its group.
    pub creator_group: u32,
    /// Permission bits, and what a facility keeps above them.
    pub mode: u32,
    /// How often its place in the table was given away before.
    pub sequence: u16,
}

/// What `IPC_SET` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The new owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The new permission bits.
    pub mode: u32,
}

impl Permissions {
    /// Those of what `caller` makes.
    pub(crate) fn new(caller: Caller<'_>, key: i32, mode: u32) -> Self {
        let (uid, gid) = (caller.credentials.euid(), caller.credentials.egid());
        Self {
            key,
            uid,
            gid,
            creator: uid,
            creator_group: gid,
            mode: mode & S_IRWXUGO,
            sequence: 0,
        }
    }

    /// Whether `caller` has all permissions that any triple of `wanted` names. EACCES.
    pub(crate) fn check(&self, caller: Caller<'_>, wanted: u32) -> Result<()> {
        let credentials = caller.credentials;
        let requested = wanted >> 6 | wanted >> 3 | wanted;
        let shift = match () {
            () if self.is_owner(credentials) => 6,
            () if credentials.in_group(self.creator_group) || credentials.in_group(self.gid) => 3,
            () => 0,
        };
        if requested & !(self.mode >> shift) & 0o7 == 0 || credentials.has(Capabilities::CAP_IPC_OWNER) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether `credentials` are the owner's or the maker's.
    pub(crate) fn is_owner(&self, credentials: &Credentials) -> bool {
        [self.uid, self.creator].contains(&credentials.euid())
    }

    /// Whether `caller` may change or remove the object. EPERM.
    pub(crate) fn check_change(&self, caller: Caller<'_>) -> Result<()> {
        match self.is_owner(caller.credentials) {
            true => Ok(()),
            false => caller.credentials.require(Capabilities::CAP_SYS_ADMIN),
        }
    }

    /// `IPC_SET`. EINVAL for -1, which is nobody.
    pub(crate) fn set(&mut self, new: Ownership) -> Result<()> {
        if new.uid == u32::MAX || new.gid == u32::MAX {
            return Err(Errno::EINVAL);
        }
        self.uid = new.uid;
        self.gid = new.gid;
        self.mode = self.mode & !S_IRWXUGO | new.mode & S_IRWXUGO;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32, gid: u32, groups: &[u32]) -> Credentials {
        Credentials::new(uid, gid, groups.to_vec())
    }

    fn caller(credentials: &Credentials) -> Caller<'_> {
        Caller {
            credentials,
            pid: 1,
            now: 0,
        }
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let (maker, other, relative) = (user(10, 20, &[]), user(11, 21, &[]), user(12, 22, &[20]));
        let mut object = Permissions::new(caller(&maker), 1, 0o604);
        assert_eq!(object.check(caller(&maker), READ | WRITE), Ok(()));
        assert_eq!(object.check(caller(&other), READ), Ok(()));
        assert_eq!(object.check(caller(&other), WRITE), Err(Errno::EACCES));
        assert_eq!(object.check(caller(&relative), READ), Err(Errno::EACCES));
        assert_eq!(object.check_change(caller(&other)), Err(Errno::EPERM));
        let owner = Ownership {
            uid: 11,
            gid: 21,
            mode: 0o7200,
        };
        object.set(owner).unwrap();
        assert_eq!((object.mode, object.creator), (0o200, 10));
        assert_eq!(object.check(caller(&other), WRITE), Ok(()));
        assert_eq!(object.check_change(caller(&maker)), Ok(()));
        assert_eq!(object.check(caller(&user(0, 0, &[])), READ | WRITE), Ok(()));
    }
}
