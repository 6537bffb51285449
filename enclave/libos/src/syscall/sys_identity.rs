//! getuid and all the other identities; capabilities.

use alloc::vec::Vec;

use kobject::{Credentials, Errno, Result};

use super::Call;
use super::table::Row;
use crate::user;

/// What the table says of these.
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
    Row::full(115, "getgroups", sys_getgroups, "dx"),
    Row::full(116, "setgroups", sys_setgroups, "dx"),
    Row::partial(
        125,
        "capget",
        sys_capget,
        "xx",
        "root has all capabilities, others none",
    ),
    Row::partial(
        126,
        "capset",
        sys_capset,
        "xx",
        "accepted where it gives up; has no effect",
    ),
];

fn with<R>(call: &Call<'_>, f: impl FnOnce(&Credentials) -> R) -> R {
    f(&call.thread.process.context.lock().credentials)
}

fn change(call: &Call<'_>, f: impl FnOnce(&mut Credentials) -> Result<()>) -> Result<u64> {
    let mut context = call.thread.process.context.lock();
    let mut changed = (*context.credentials).clone();
    f(&mut changed)?;
    context.credentials = alloc::sync::Arc::new(changed);
    Ok(0)
}

pub(super) fn sys_getuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.uid[0]).into())
}

pub(super) fn sys_geteuid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.uid[1]).into())
}

pub(super) fn sys_getgid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.gid[0]).into())
}

pub(super) fn sys_getegid(call: &mut Call<'_>) -> Result<u64> {
    Ok(with(call, |c| c.gid[1]).into())
}

/// Which identities a change concerns: users or groups.
fn ids(credentials: &mut Credentials, user: bool) -> &mut [u32; 4] {
    if user {
        &mut credentials.uid
    } else {
        &mut credentials.gid
    }
}

/// setuid, setgid: all of them for root, else the effective one among the real and saved.
fn set_one(call: &Call<'_>, user: bool) -> Result<u64> {
    let id = call.args[0] as u32;
    if id == u32::MAX {
        return Err(Errno::EINVAL);
    }
    change(call, |credentials| {
        let privileged = credentials.euid() == 0;
        let ids = ids(credentials, user);
        match privileged {
            true => *ids = [id; 4],
            false if id == ids[0] || id == ids[2] => (ids[1], ids[3]) = (id, id),
            false => return Err(Errno::EPERM),
        }
        Ok(())
    })
}

pub(super) fn sys_setuid(call: &mut Call<'_>) -> Result<u64> {
    set_one(call, true)
}

pub(super) fn sys_setgid(call: &mut Call<'_>) -> Result<u64> {
    set_one(call, false)
}

/// setresuid, setresgid and, with the saved one implied, setreuid, setregid.
fn set_res(call: &Call<'_>, user: bool, wanted: [u32; 3], implied: bool) -> Result<u64> {
    change(call, |credentials| {
        let privileged = credentials.euid() == 0;
        let ids = ids(credentials, user);
        let old = *ids;
        let allowed = |id: u32, of: &[u32]| id == u32::MAX || privileged || of.contains(&id);
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
        Ok(())
    })
}

pub(super) fn sys_setresuid(call: &mut Call<'_>) -> Result<u64> {
    set_res(
        call,
        true,
        [call.args[0] as u32, call.args[1] as u32, call.args[2] as u32],
        false,
    )
}

pub(super) fn sys_setresgid(call: &mut Call<'_>) -> Result<u64> {
    set_res(
        call,
        false,
        [call.args[0] as u32, call.args[1] as u32, call.args[2] as u32],
        false,
    )
}

pub(super) fn sys_setreuid(call: &mut Call<'_>) -> Result<u64> {
    set_res(
        call,
        true,
        [call.args[0] as u32, call.args[1] as u32, u32::MAX],
        true,
    )
}

pub(super) fn sys_setregid(call: &mut Call<'_>) -> Result<u64> {
    set_res(
        call,
        false,
        [call.args[0] as u32, call.args[1] as u32, u32::MAX],
        true,
    )
}

fn get_res(call: &Call<'_>, ids: [u32; 4]) -> Result<u64> {
    for (at, id) in call.args.into_iter().zip(ids).take(3) {
        user::put(at, &id)?;
    }
    Ok(0)
}

pub(super) fn sys_getresuid(call: &mut Call<'_>) -> Result<u64> {
    get_res(call, with(call, |c| c.uid))
}

pub(super) fn sys_getresgid(call: &mut Call<'_>) -> Result<u64> {
    get_res(call, with(call, |c| c.gid))
}

/// setfsuid, setfsgid: give the old one, whether or not they change it.
fn set_fs(call: &Call<'_>, user: bool) -> Result<u64> {
    let id = call.args[0] as u32;
    let mut old = 0;
    change(call, |credentials| {
        let privileged = credentials.euid() == 0;
        let ids = ids(credentials, user);
        old = ids[3];
        if privileged || ids.contains(&id) {
            ids[3] = id;
        }
        Ok(())
    })?;
    Ok(old.into())
}

pub(super) fn sys_setfsuid(call: &mut Call<'_>) -> Result<u64> {
    set_fs(call, true)
}

pub(super) fn sys_setfsgid(call: &mut Call<'_>) -> Result<u64> {
    set_fs(call, false)
}

pub(super) fn sys_getgroups(call: &mut Call<'_>) -> Result<u64> {
    let groups = with(call, |c| c.groups.clone());
    let room = usize::try_from(call.int(0)).map_err(|_| Errno::EINVAL)?;
    if room != 0 {
        if room < groups.len() {
            return Err(Errno::EINVAL);
        }
        let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
        user::put_bytes(call.args[1], &bytes)?;
    }
    Ok(groups.len() as u64)
}

pub(super) fn sys_setgroups(call: &mut Call<'_>) -> Result<u64> {
    let count = usize::try_from(call.args[0]).map_err(|_| Errno::EINVAL)?;
    let groups = user::get_all::<u32>(call.args[1], count, 65536)?;
    change(call, |credentials| {
        if credentials.euid() != 0 {
            return Err(Errno::EPERM);
        }
        credentials.groups = groups;
        Ok(())
    })
}

/// _LINUX_CAPABILITY_VERSION_3
const CAPABILITY_VERSION: u32 = 0x2008_0522;
/// All capabilities that Linux has, 0 to 40.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// capget: root has all capabilities within the container, others none.
pub(super) fn sys_capget(call: &mut Call<'_>) -> Result<u64> {
    let [header, data, ..] = call.args;
    let [version, _pid]: [u32; 2] = user::get(header)?;
    if version != CAPABILITY_VERSION {
        user::put(header, &CAPABILITY_VERSION)?;
        return if data == 0 { Ok(0) } else { Err(Errno::EINVAL) };
    }
    let has = if with(call, |c| c.euid()) == 0 {
        ALL_CAPABILITIES
    } else {
        0
    };
    let (low, high) = (has as u32, (has >> 32) as u32);
    // Effective, permitted, inheritable; low words, then high words.
    user::put_if(data, &[low, low, 0, high, high, 0])?;
    Ok(0)
}

/// capset: giving up capabilities is accepted and has no effect; asking for more than there are is refused.
pub(super) fn sys_capset(call: &mut Call<'_>) -> Result<u64> {
    let [header, data, ..] = call.args;
    let [version, _pid]: [u32; 2] = user::get(header)?;
    if version != CAPABILITY_VERSION {
        return Err(Errno::EINVAL);
    }
    let wanted: [u32; 6] = user::get(data)?;
    let permitted = u64::from(wanted[1]) | u64::from(wanted[4]) << 32;
    let has = if with(call, |c| c.euid()) == 0 {
        u64::MAX
    } else {
        0
    };
    if permitted & !has != 0 {
        Err(Errno::EPERM)
    } else {
        Ok(0)
    }
}
