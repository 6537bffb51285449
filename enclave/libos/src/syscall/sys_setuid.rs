//! The identities of a thread: getuid, setuid and all their kin for users and groups.

use core::sync::atomic::Ordering;

use kobject::{Credentials, Errno, Result};
use linux_abi::Capabilities;

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(102, "getuid", sys_getuid, ""),
    Row::full(107, "geteuid", sys_geteuid, ""),
    Row::full(104, "getgid", sys_getgid, ""),
    Row::full(108, "getegid", sys_getegid, ""),
    Row::full(105, "setuid", sys_setuid, "d"),
    Row::full(106, "setgid", sys_setgid, "d"),
    Row::full(117, "setresuid", sys_setresuid, "ddd"),
    Row::full(119, "setresgid", sys_setresgid, "ddd"),
    Row::full(113, "setreuid", sys_setreuid, "dd"),
    Row::full(114, "setregid", sys_setregid, "dd"),
    Row::full(118, "getresuid", sys_getresuid, "xxx"),
    Row::full(120, "getresgid", sys_getresgid, "xxx"),
    Row::full(122, "setfsuid", sys_setfsuid, "d"),
    Row::full(123, "setfsgid", sys_setfsgid, "d"),
];

/// Changes the credentials of the calling thread; not at all if `f` fails. Libraries let all threads of a process do the same.
pub(super) fn change(call: &Call<'_>, f: impl FnOnce(&mut Credentials) -> Result<()>) -> Result<u64> {
    let thread = call.thread;
    let old = thread.credentials();
    let mut changed = Credentials::clone(&old);
    f(&mut changed)?;
    let acts_as = |credentials: &Credentials| [credentials.uid, credentials.gid].map(|[_, e, _, f]| [e, f]);
    let gains = !old.privileges.permitted.contains(changed.privileges.permitted);
    if gains || acts_as(&changed) != acts_as(&old) {
        // A parent has no say about a child that acts as somebody else (PR_SET_PDEATHSIG(2const)).
        thread.process.death_signal.store(0, Ordering::Relaxed);
    }
    thread.set_credentials(changed);
    Ok(0)
}

/// Which identities a change concerns.
#[derive(Clone, Copy)]
enum Kind {
    User,
    Group,
}

impl Kind {
    fn ids(self, credentials: &Credentials) -> [u32; 4] {
        match self {
            Self::User => credentials.uid,
            Self::Group => credentials.gid,
        }
    }

    fn set(self, credentials: &mut Credentials, ids: [u32; 4]) {
        match self {
            Self::User => credentials.set_users(ids),
            Self::Group => credentials.gid = ids,
        }
    }

    /// Whether the process may take any identity of this kind.
    fn is_free(self, credentials: &Credentials) -> bool {
        credentials.has(match self {
            Self::User => Capabilities::CAP_SETUID,
            Self::Group => Capabilities::CAP_SETGID,
        })
    }
}

fn sys_getuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.uid[0]).into())
}

fn sys_geteuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.uid[1]).into())
}

fn sys_getgid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.gid[0]).into())
}

fn sys_getegid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.gid[1]).into())
}

/// setuid, setgid: all of them for who may take any, else the effective one among the real and saved.
fn set_one(call: &Call<'_>, kind: Kind) -> Result<u64> {
    let id = call.uint(0);
    if id == u32::MAX {
        return Err(Errno::EINVAL);
    }
    change(call, |credentials| {
        let [real, _, saved, _] = kind.ids(credentials);
        let ids = match kind.is_free(credentials) {
            true => [id; 4],
            false if id == real || id == saved => [real, id, saved, id],
            false => return Err(Errno::EPERM),
        };
        kind.set(credentials, ids);
        Ok(())
    })
}

fn sys_setuid(call: &mut Call<'_>) -> Result<u64> {
    set_one(call, Kind::User)
}

fn sys_setgid(call: &mut Call<'_>) -> Result<u64> {
    set_one(call, Kind::Group)
}

/// setresuid, setresgid and, with the saved one implied, setreuid, setregid.
fn set_res(call: &Call<'_>, kind: Kind, wanted: [u32; 3], implied: bool) -> Result<u64> {
    change(call, |credentials| {
        let is_free = kind.is_free(credentials);
        let old = kind.ids(credentials);
        let mut ids = old;
        let allowed = |id: u32, of: &[u32]| id == u32::MAX || is_free || of.contains(&id);
        let real = if implied { &old[..2] } else { &old[..3] };
        if !allowed(wanted[0], real) || !allowed(wanted[1], &old[..3]) || !allowed(wanted[2], &old[..3]) {
            return Err(Errno::EPERM);
        }
        for (id, wanted) in ids.iter_mut().zip(wanted) {
            if wanted != u32::MAX {
                *id = wanted;
            }
        }
        if implied && (wanted[0] != u32::MAX || (wanted[1] != u32::MAX && wanted[1] != old[0])) {
            ids[2] = ids[1];
        }
        ids[3] = ids[1];
        kind.set(credentials, ids);
        Ok(())
    })
}

fn sys_setresuid(call: &mut Call<'_>) -> Result<u64> {
    set_res(
        call,
        Kind::User,
        [call.uint(0), call.uint(1), call.uint(2)],
        false,
    )
}

fn sys_setresgid(call: &mut Call<'_>) -> Result<u64> {
    set_res(
        call,
        Kind::Group,
        [call.uint(0), call.uint(1), call.uint(2)],
        false,
    )
}

fn sys_setreuid(call: &mut Call<'_>) -> Result<u64> {
    set_res(call, Kind::User, [call.uint(0), call.uint(1), u32::MAX], true)
}

fn sys_setregid(call: &mut Call<'_>) -> Result<u64> {
    set_res(call, Kind::Group, [call.uint(0), call.uint(1), u32::MAX], true)
}

fn get_res(call: &Call<'_>, ids: [u32; 4]) -> Result<u64> {
    for (index, id) in ids.into_iter().enumerate().take(3) {
        user::put(call.pointer(index), &id)?;
    }
    Ok(0)
}

fn sys_getresuid(call: &mut Call<'_>) -> Result<u64> {
    get_res(call, with(call, |c| c.uid))
}

fn sys_getresgid(call: &mut Call<'_>) -> Result<u64> {
    get_res(call, with(call, |c| c.gid))
}

/// setfsuid, setfsgid: give the old one, whether or not they change it. Nobody is -1, with which programs ask for it.
fn set_fs(call: &Call<'_>, kind: Kind) -> Result<u64> {
    let id = call.uint(0);
    let mut old = 0;
    change(call, |credentials| {
        let ids = kind.ids(credentials);
        old = ids[3];
        if id != u32::MAX && (kind.is_free(credentials) || ids.contains(&id)) {
            match kind {
                Kind::User => credentials.set_file_user(id),
                Kind::Group => credentials.gid[3] = id,
            }
        }
        Ok(())
    })?;
    Ok(old.into())
}

fn sys_setfsuid(call: &mut Call<'_>) -> Result<u64> {
    set_fs(call, Kind::User)
}

fn sys_setfsgid(call: &mut Call<'_>) -> Result<u64> {
    set_fs(call, Kind::Group)
}

/// Looks at the credentials of the calling thread.
pub(super) fn with<R>(call: &Call<'_>, f: impl FnOnce(&Credentials) -> R) -> R {
    f(&call.thread.credentials())
}
