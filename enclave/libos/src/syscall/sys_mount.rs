//! mount, of the container's image alone.

use alloc::vec::Vec;

use kobject::{Errno, Result};
use zeroize::Zeroizing;

use super::Call;
use super::table::Row;
use crate::{provisioning, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::partial(
    165,
    "mount",
    sys_mount,
    "xxxxx",
    "EPERM, since what is mounted is measured; only nacre-init mounts the image that it has got the key of",
)];

/// What a program gives that does not give a string.
const NULL: u64 = 0;

/// Longest name of a file system type, and longest options, that are looked at.
const LONGEST: usize = 256;

fn sys_mount(call: &mut Call<'_>) -> Result<u64> {
    let (kind, options) = (call.pointer(2), call.pointer(4));
    if kind == NULL || user::get_string(kind, LONGEST, Errno::EPERM)? != provisioning::IMAGE {
        return Err(Errno::EPERM);
    }
    let options = match options == NULL {
        true => None,
        false => Some(Zeroizing::new(user::get_string(options, LONGEST, Errno::EINVAL)?)),
    };
    let key = options.map(|options| key(&options)).transpose()?;
    provisioning::mount_image(call.thread, key.as_ref().map(|key| key.as_slice()))?;
    Ok(0)
}

/// `key=` and hexadecimal digits.
fn key(options: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let digits = options.strip_prefix(b"key=").ok_or(Errno::EINVAL)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Errno::EINVAL);
    let mut key = Zeroizing::new(Vec::with_capacity(digits.len()));
    for pair in digits.chunks(2) {
        let &[high, low] = pair else {
            return Err(Errno::EINVAL);
        };
        key.push((digit(high)? << 4 | digit(low)?) as u8);
    }
    Ok(key)
}
