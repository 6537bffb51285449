//! What the System V calls share: `struct ipc64_perm`, and how objects are named.

use kobject::{Errno, Result};
use libos_ipc::{Ownership, Permissions};

use crate::uapi::IpcPermissions;

/// As programs see it.
pub(super) fn raw(permissions: &Permissions) -> IpcPermissions {
    IpcPermissions {
        key: permissions.key,
        uid: permissions.uid,
        gid: permissions.gid,
        creator: permissions.creator,
        creator_group: permissions.creator_group,
        mode: permissions.mode,
        sequence: permissions.sequence,
        _pad: 0,
        _pad2: 0,
        _unused: [0; 2],
    }
}

/// What `IPC_SET` takes of it.
pub(super) fn ownership(raw: IpcPermissions) -> Ownership {
    Ownership {
        uid: raw.uid,
        gid: raw.gid,
        mode: raw.mode,
    }
}

/// EINVAL for an identifier or a command below 0.
pub(super) fn check_id(id: i32, command: i32) -> Result<()> {
    match id < 0 || command < 0 {
        true => Err(Errno::EINVAL),
        false => Ok(()),
    }
}
