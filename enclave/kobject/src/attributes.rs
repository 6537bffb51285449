//! The attributes of objects that are of no file system: pipes, sockets, standard streams.

use crate::{SpinLock, Stat, Timestamp};

/// What has been set of an object's attributes; what has not is as the object says itself.
pub struct Attributes(SpinLock<Set>);

impl Default for Attributes {
    /// Of an object of which nothing has been set.
    fn default() -> Self {
        Self(SpinLock::new(Set::default()))
    }
}

#[derive(Clone, Copy, Default)]
struct Set {
    permissions: Option<u32>,
    owner: Option<(u32, u32)>,
    accessed: Option<Timestamp>,
    modified: Option<Timestamp>,
}

impl Attributes {
    /// Sets the permission bits, with set-id and sticky bits.
    pub fn set_permissions(&self, permissions: u32) {
        self.0.lock().permissions = Some(permissions);
    }

    /// Sets user and group.
    pub fn set_owner(&self, owner: (u32, u32)) {
        self.0.lock().owner = Some(owner);
    }

    /// Sets the time of the last access and of the last change of the contents; `None` stays as it is.
    pub fn set_times(&self, accessed: Option<Timestamp>, modified: Option<Timestamp>) {
        let mut set = self.0.lock();
        set.accessed = accessed.or(set.accessed);
        set.modified = modified.or(set.modified);
    }

    /// What `fstat` says, given what the object says itself.
    pub fn apply(&self, mut stat: Stat) -> Stat {
        let set = *self.0.lock();
        stat.permissions = set.permissions.unwrap_or(stat.permissions);
        (stat.uid, stat.gid) = set.owner.unwrap_or((stat.uid, stat.gid));
        stat.accessed = set.accessed.unwrap_or(stat.accessed);
        stat.modified = set.modified.unwrap_or(stat.modified);
        stat
    }
}
