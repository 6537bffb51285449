//! mount, of the container's image alone.

use enclave_rt::user::{self as memory, Address};
use kobject::{Errno, Result};
use sector_cipher::KEY_SIZE;
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

/// Longest name of a file system type that is looked at.
const LONGEST: usize = 256;

/// What options begin with, and how long they are: a key in hexadecimal digits follows.
const OPTION: &[u8] = b"key=";
const OPTIONS_SIZE: usize = OPTION.len() + 2 * KEY_SIZE;

fn sys_mount(call: &mut Call<'_>) -> Result<u64> {
    let (kind, options) = (call.pointer(2), call.pointer(4));
    if kind == NULL || user::get_string(kind, LONGEST, Errno::EPERM)? != provisioning::IMAGE {
        return Err(Errno::EPERM);
    }
    let key = (options != NULL).then(|| key(options)).transpose()?;
    provisioning::mount_image(call.thread, key.as_ref().map(|key| key.as_slice()))?;
    Ok(0)
}

/// The key in the options at this address. EINVAL if they are anything else.
fn key(options: Address) -> Result<Zeroizing<[u8; KEY_SIZE]>> {
    // Of a fixed size, so that no copy of the key is left behind.
    let mut text = Zeroizing::new([0; OPTIONS_SIZE]);
    memory::read(options, &mut *text)?;
    let digits = text.strip_prefix(OPTION).ok_or(Errno::EINVAL)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Errno::EINVAL);
    let mut key = Zeroizing::new([0; KEY_SIZE]);
    for (byte, &[high, low]) in key.iter_mut().zip(digits.as_chunks().0) {
        *byte = (digit(high)? << 4 | digit(low)?) as u8;
    }
    Ok(key)
}
