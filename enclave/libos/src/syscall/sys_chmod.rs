//! A file's mode, owner and times, in their older and newer forms.

use kobject::clock::SECOND;
use kobject::{Errno, Result, Timestamp};
use libos_fs::{AtFlags, Owner, SetTime};

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::container;
use crate::uapi::{Timespec, Timeval};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(90, "chmod", sys_chmod, "sx"),
    Row::full(91, "fchmod", sys_fchmod, "dx"),
    Row::full(268, "fchmodat", sys_fchmodat, "dsx"),
    Row::full(452, "fchmodat2", sys_fchmodat2, "dsxx"),
    Row::full(92, "chown", sys_chown, "sdd"),
    Row::full(94, "lchown", sys_lchown, "sdd"),
    Row::full(93, "fchown", sys_fchown, "ddd"),
    Row::full(260, "fchownat", sys_fchownat, "dsddx"),
    Row::full(132, "utime", sys_utime, "sx"),
    Row::full(235, "utimes", sys_utimes, "sx"),
    Row::full(261, "futimesat", sys_futimesat, "dsx"),
    Row::full(280, "utimensat", sys_utimensat, "dsxx"),
];

fn change_mode(call: &Call<'_>, fd: u64, path: &[u8], mode: u64, flags: AtFlags) -> Result<u64> {
    at(call, fd, path, |at| {
        container()
            .vfs
            .change_mode(&context(call), at, path, mode as u32, flags)
    })?;
    Ok(0)
}

fn sys_chmod(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    change_mode(call, AT_FDCWD as u64, &path, call.args[1], AtFlags::empty())
}

fn sys_fchmod(call: &mut Call<'_>) -> Result<u64> {
    open_only(call)?;
    change_mode(call, call.args[0], b"", call.args[1], AtFlags::EMPTY_PATH)
}

/// What changes an open file refuses one that was opened with O_PATH.
fn open_only(call: &Call<'_>) -> Result<()> {
    let is_path = call
        .file(call.args[0])?
        .flags()
        .contains(kobject::StatusFlags::PATH);
    if is_path { Err(Errno::EBADF) } else { Ok(()) }
}

fn sys_fchmodat(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[1])?;
    change_mode(call, call.args[0], &path, call.args[2], AtFlags::empty())
}

fn sys_fchmodat2(call: &mut Call<'_>) -> Result<u64> {
    let flags = at_flags(call.args[3], EITHER)?;
    let path = user::get_path(call.args[1])?;
    change_mode(call, call.args[0], &path, call.args[2], flags)
}

fn change_owner(call: &Call<'_>, fd: u64, path: &[u8], uid: u64, gid: u64, flags: AtFlags) -> Result<u64> {
    let given = |id: u64| Some(id as u32).filter(|&id| id != u32::MAX);
    let owner = Owner {
        uid: given(uid),
        gid: given(gid),
    };
    at(call, fd, path, |at| {
        container()
            .vfs
            .change_owner(&context(call), at, path, owner, flags)
    })?;
    Ok(0)
}

fn sys_chown(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    change_owner(
        call,
        AT_FDCWD as u64,
        &path,
        call.args[1],
        call.args[2],
        AtFlags::empty(),
    )
}

fn sys_lchown(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    change_owner(
        call,
        AT_FDCWD as u64,
        &path,
        call.args[1],
        call.args[2],
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

fn sys_fchown(call: &mut Call<'_>) -> Result<u64> {
    open_only(call)?;
    change_owner(
        call,
        call.args[0],
        b"",
        call.args[1],
        call.args[2],
        AtFlags::EMPTY_PATH,
    )
}

fn sys_fchownat(call: &mut Call<'_>) -> Result<u64> {
    let flags = at_flags(call.args[4], EITHER)?;
    let path = user::get_path(call.args[1])?;
    change_owner(call, call.args[0], &path, call.args[2], call.args[3], flags)
}

fn set_times(call: &Call<'_>, fd: u64, path: u64, times: [SetTime; 2], flags: AtFlags) -> Result<u64> {
    // A null path means the open file itself.
    let (path, flags) = match path {
        0 => (alloc::vec::Vec::new(), flags | AtFlags::EMPTY_PATH),
        path => (user::get_path(path)?, flags),
    };
    at(call, fd, &path, |at| {
        container().vfs.set_times(&context(call), at, &path, times, flags)
    })?;
    Ok(0)
}

fn seconds(seconds: i64) -> SetTime {
    SetTime::To(Timestamp {
        seconds,
        nanoseconds: 0,
    })
}

fn sys_utime(call: &mut Call<'_>) -> Result<u64> {
    let times = match user::get_if::<[i64; 2]>(call.args[1])? {
        None => [SetTime::Now; 2],
        Some(times) => times.map(seconds),
    };
    set_times(call, AT_FDCWD as u64, call.args[0], times, AtFlags::empty())
}

fn timevals(at: u64) -> Result<[SetTime; 2]> {
    let Some(times) = user::get_if::<[Timeval; 2]>(at)? else {
        return Ok([SetTime::Now; 2]);
    };
    let mut out = [SetTime::Now; 2];
    for (out, time) in out.iter_mut().zip(times) {
        let micros = u32::try_from(time.microseconds)
            .ok()
            .filter(|&micros| micros < 1_000_000);
        let nanoseconds = micros.ok_or(Errno::EINVAL)? * 1000;
        *out = SetTime::To(Timestamp {
            seconds: time.seconds,
            nanoseconds,
        });
    }
    Ok(out)
}

fn sys_utimes(call: &mut Call<'_>) -> Result<u64> {
    let times = timevals(call.args[1])?;
    set_times(call, AT_FDCWD as u64, call.args[0], times, AtFlags::empty())
}

fn sys_futimesat(call: &mut Call<'_>) -> Result<u64> {
    let times = timevals(call.args[2])?;
    set_times(call, call.args[0], call.args[1], times, AtFlags::empty())
}

fn sys_utimensat(call: &mut Call<'_>) -> Result<u64> {
    const UTIME_NOW: i64 = (1 << 30) - 1;
    const UTIME_OMIT: i64 = (1 << 30) - 2;
    let [fd, path, times, flags, ..] = call.args;
    let flags = at_flags(flags, EITHER)?;
    let times = match user::get_if::<[Timespec; 2]>(times)? {
        None => [SetTime::Now; 2],
        Some(times) => {
            let mut out = [SetTime::Now; 2];
            for (out, time) in out.iter_mut().zip(times) {
                *out = match time.nanoseconds {
                    UTIME_NOW => SetTime::Now,
                    UTIME_OMIT => SetTime::Omit,
                    n if (0..SECOND as i64).contains(&n) => SetTime::To(Timestamp {
                        seconds: time.seconds,
                        nanoseconds: n as u32,
                    }),
                    _ => return Err(Errno::EINVAL),
                };
            }
            out
        }
    };
    if path == 0 && fd as i32 == AT_FDCWD {
        return Err(Errno::EFAULT);
    }
    set_times(call, fd, path, times, flags)
}
