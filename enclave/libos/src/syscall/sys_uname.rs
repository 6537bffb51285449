//! uname, sethostname.

use kobject::{Errno, Result};
use linux_abi::Capabilities;
use linux_abi::system::__NEW_UTS_LEN;

use super::Call;
use super::sys_setuid::with;
use super::table::Row;
use crate::uapi::Utsname;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(63, "uname", sys_uname, "x"),
    Row::full(170, "sethostname", sys_sethostname, "xd"),
];

/// What uname says of the kernel: recent enough for every C library's minimum, and not the host's.
pub(crate) const RELEASE: &str = "6.6.0-nacre";

/// See [`RELEASE`].
pub(crate) const VERSION: &str = "#1 SMP Nacre";

fn sys_uname(call: &mut Call<'_>) -> Result<u64> {
    let name = Utsname {
        system: field(b"Linux"),
        node: field(&crate::container().hostname.lock()),
        release: field(RELEASE.as_bytes()),
        version: field(VERSION.as_bytes()),
        machine: field(b"x86_64"),
        domain: field(b"(none)"),
    };
    user::put(call.pointer(0), &name)?;
    Ok(0)
}

fn field(text: &[u8]) -> [u8; __NEW_UTS_LEN + 1] {
    let mut field = [0; __NEW_UTS_LEN + 1];
    for (place, byte) in field.iter_mut().take(__NEW_UTS_LEN).zip(text) {
        *place = *byte;
    }
    field
}

fn sys_sethostname(call: &mut Call<'_>) -> Result<u64> {
    let (at, len) = (call.pointer(0), call.int(1));
    with(call, |caller| caller.require(Capabilities::CAP_SYS_ADMIN))?;
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= __NEW_UTS_LEN)
        .ok_or(Errno::EINVAL)?;
    *crate::container().hostname.lock() = user::get_bytes(at, len)?;
    Ok(0)
}
