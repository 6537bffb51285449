//! utime, utimes, futimesat, utimensat.

use kobject::{Errno, Result, Timestamp, clock::SECOND};
use libos_fs::SetTime;
use linux_abi::AtFlags;
use linux_abi::stat::{UTIME_NOW, UTIME_OMIT};

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::uapi::{Timespec, Timeval};
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(132, "utime", sys_utime, "sx"),
    Row::full(235, "utimes", sys_utimes, "sx"),
    Row::full(261, "futimesat", sys_futimesat, "dsx"),
    Row::full(280, "utimensat", sys_utimensat, "dsxx"),
];

fn sys_utime(call: &mut Call<'_>) -> Result<u64> {
    let times = match user::get_if::<[i64; 2]>(call.pointer(1))? {
        None => [SetTime::Now; 2],
        Some(times) => times.map(seconds),
    };
    set_times(call, AT_FDCWD, call.pointer(0), times, AtFlags::empty())
}

fn sys_utimes(call: &mut Call<'_>) -> Result<u64> {
    let times = timevals(call.pointer(1))?;
    set_times(call, AT_FDCWD, call.pointer(0), times, AtFlags::empty())
}

fn sys_futimesat(call: &mut Call<'_>) -> Result<u64> {
    let times = timevals(call.pointer(2))?;
    set_times(call, call.fd(0), call.pointer(1), times, AtFlags::empty())
}

fn sys_utimensat(call: &mut Call<'_>) -> Result<u64> {
    let (fd, path, times, flags) = (call.fd(0), call.pointer(1), call.pointer(2), call.uint(3));
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
    if path == 0 && fd == AT_FDCWD {
        return Err(Errno::EFAULT);
    }
    set_times(call, fd, path, times, flags)
}

fn set_times(call: &Call<'_>, fd: Fd, path: Address, times: [SetTime; 2], flags: AtFlags) -> Result<u64> {
    // A null path means the open file itself, which must not be a path only.
    if path == 0 && fd != AT_FDCWD {
        call.file(fd)?;
    }
    let (path, flags) = if path == 0 {
        (alloc::vec::Vec::new(), flags | AtFlags::AT_EMPTY_PATH)
    } else {
        (user::get_path(path)?, flags)
    };
    at(call, fd, &path, |at| {
        container()
            .vfs()
            .set_times(&context(call), at, &path, times, flags)
    })?;
    Ok(0)
}

fn seconds(seconds: i64) -> SetTime {
    SetTime::To(Timestamp {
        seconds,
        nanoseconds: 0,
    })
}

fn timevals(at: Address) -> Result<[SetTime; 2]> {
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
