//! Typed values in a program's memory.

use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use enclave_rt::user;
use kobject::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub(crate) use enclave_rt::user::Address;

/// Reads a structure.
pub(crate) fn get<T: FromBytes + IntoBytes>(at: Address) -> Result<T> {
    let mut value = T::new_zeroed();
    user::read(at, value.as_mut_bytes())?;
    Ok(value)
}

/// Writes a structure.
pub(crate) fn put<T: IntoBytes + Immutable>(at: Address, value: &T) -> Result<()> {
    Ok(user::write(at, value.as_bytes())?)
}

/// Writes a structure if the program asked for it: if the address is not null.
pub(crate) fn put_if<T: IntoBytes + Immutable>(at: Address, value: &T) -> Result<()> {
    if at == 0 { Ok(()) } else { put(at, value) }
}

/// Reads a structure unless the address is null.
pub(crate) fn get_if<T: FromBytes + IntoBytes>(at: Address) -> Result<Option<T>> {
    if at == 0 { Ok(None) } else { get(at).map(Some) }
}

/// Reads a structure that later versions of Linux may have made longer than `T`, and that an earlier program may know only the first
/// `size` bytes of (`copy_struct_from_user` of the kernel); what it does not have is zero.
///
/// # Errors
/// EINVAL below `least` bytes, E2BIG beyond a page and for anything but zeros behind `T`, EFAULT.
pub(crate) fn get_extensible<T: FromBytes + IntoBytes>(at: Address, size: usize, least: usize) -> Result<T> {
    if size < least {
        return Err(Errno::EINVAL);
    }
    if size > PAGE_SIZE as usize {
        return Err(Errno::E2BIG);
    }
    let bytes = get_bytes(at, size)?;
    let (known, unknown) = bytes.split_at(size.min(size_of::<T>()));
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let mut value = T::new_zeroed();
    for (place, byte) in value.as_mut_bytes().iter_mut().zip(known) {
        *place = *byte;
    }
    Ok(value)
}

/// Reads `count` structures; EINVAL beyond `most`.
pub(crate) fn get_all<T: FromBytes + IntoBytes + Clone>(
    at: Address,
    count: usize,
    most: usize,
) -> Result<Vec<T>> {
    if count > most {
        return Err(Errno::EINVAL);
    }
    let mut values = Vec::new();
    values.resize(count, T::new_zeroed());
    user::read(at, values.as_mut_slice().as_mut_bytes())?;
    Ok(values)
}

/// Reads `len` bytes.
pub(crate) fn get_bytes(at: Address, len: usize) -> Result<Vec<u8>> {
    user::check(at, len)?;
    let mut bytes = alloc::vec![0; len];
    user::read(at, &mut bytes)?;
    Ok(bytes)
}

/// Writes bytes.
pub(crate) fn put_bytes(at: Address, bytes: &[u8]) -> Result<()> {
    Ok(user::write(at, bytes)?)
}

/// Reads a string up to its zero byte, of at most `most` bytes; `too_long` beyond.
pub(crate) fn get_string(at: Address, most: usize, too_long: Errno) -> Result<Vec<u8>> {
    let mut string = Vec::new();
    let mut next = at;
    loop {
        // Never across a page boundary: what lies behind it may not be there.
        let mut piece = [0; 256];
        let to_page_end = (PAGE_SIZE - next % PAGE_SIZE) as usize;
        let len = piece.len().min(to_page_end).min(most + 1 - string.len());
        let piece = piece.get_mut(..len).ok_or(Errno::EFAULT)?;
        user::read(next, piece)?;
        if let Some(end) = piece.iter().position(|&byte| byte == 0) {
            string.extend_from_slice(piece.get(..end).unwrap_or_default());
            return Ok(string);
        }
        string.extend_from_slice(piece);
        if string.len() > most {
            return Err(too_long);
        }
        next += len as u64;
    }
}

/// Reads a path: ENAMETOOLONG beyond 4,095 bytes.
pub(crate) fn get_path(at: Address) -> Result<Vec<u8>> {
    get_string(at, 4095, Errno::ENAMETOOLONG)
}
