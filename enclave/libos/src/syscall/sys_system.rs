//! The system as a whole: its name, its memory, random numbers.

use alloc::vec;

use enclave_rt::processor;
use kobject::clock::SECOND;
use kobject::{Errno, Result, clock};

use super::Call;
use super::table::Row;
use crate::uapi::{Sysinfo, Utsname};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(63, "uname", sys_uname, "x"),
    Row::full(170, "sethostname", sys_sethostname, "xd"),
    Row::partial(99, "sysinfo", sys_sysinfo, "x", "no load averages"),
    Row::full(318, "getrandom", sys_getrandom, "xdx"),
];

/// What uname says of the kernel: recent enough for every C library's minimum, and not the host's.
pub(crate) const RELEASE: &str = "6.6.0-nacre";
/// See [`RELEASE`].
pub(crate) const VERSION: &str = "#1 SMP Nacre";

fn field(text: &[u8]) -> [u8; 65] {
    let mut field = [0; 65];
    for (place, byte) in field.iter_mut().take(64).zip(text) {
        *place = *byte;
    }
    field
}

pub(super) fn sys_uname(call: &mut Call<'_>) -> Result<u64> {
    let name = Utsname {
        system: field(b"Linux"),
        node: field(&crate::container().hostname.lock()),
        release: field(RELEASE.as_bytes()),
        version: field(VERSION.as_bytes()),
        machine: field(b"x86_64"),
        domain: field(b"(none)"),
    };
    user::put(call.args[0], &name)?;
    Ok(0)
}

pub(super) fn sys_sethostname(call: &mut Call<'_>) -> Result<u64> {
    let [at, len, ..] = call.args;
    if call.thread.process.context.lock().credentials.euid() != 0 {
        return Err(Errno::EPERM);
    }
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= 64)
        .ok_or(Errno::EINVAL)?;
    *crate::container().hostname.lock() = user::get_bytes(at, len)?;
    Ok(0)
}

pub(super) fn sys_sysinfo(call: &mut Call<'_>) -> Result<u64> {
    let total = crate::container().memory;
    let used = call.thread.process.space.size().1;
    let info = Sysinfo {
        uptime: (clock::monotonic() / SECOND) as i64,
        loads: [0; 3],
        total_ram: total,
        free_ram: total.saturating_sub(used),
        shared_ram: 0,
        buffer_ram: 0,
        total_swap: 0,
        free_swap: 0,
        processes: crate::process::table::processes().len() as u16,
        pad: 0,
        pad2: 0,
        total_high: 0,
        free_high: 0,
        unit: 1,
        _end: 0,
    };
    user::put(call.args[0], &info)?;
    Ok(0)
}

pub(super) fn sys_getrandom(call: &mut Call<'_>) -> Result<u64> {
    let [at, len, flags, ..] = call.args;
    // GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE; the last two exclude each other.
    if flags & !7 != 0 || flags & 6 == 6 {
        return Err(Errno::EINVAL);
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(i32::MAX as usize);
    let mut done = 0;
    let mut chunk = vec![0; len.min(4096)];
    while done < len {
        let part = (len - done).min(chunk.len());
        let bytes = chunk.get_mut(..part).ok_or(Errno::EFAULT)?;
        processor::random(bytes);
        user::put_bytes(at + done as u64, bytes)?;
        done += part;
    }
    Ok(len as u64)
}
