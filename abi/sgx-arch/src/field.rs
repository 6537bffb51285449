//! Fields at fixed offsets of a structure's bytes. Offsets are constants; a wrong one fails the first test.

use core::ops::Range;

/// The `N` bytes at `at`.
#[expect(
    clippy::indexing_slicing,
    reason = "a constant offset in a structure of fixed size"
)]
pub(crate) fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..][..N]);
    field
}

/// Writes a field.
#[expect(
    clippy::indexing_slicing,
    reason = "a constant offset in a structure of fixed size"
)]
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, field: [u8; N]) {
    bytes[at..][..N].copy_from_slice(&field);
}

/// The word of 2 bytes at `at`.
pub(crate) fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(get(bytes, at))
}

/// The word of 4 bytes at `at`.
pub(crate) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(get(bytes, at))
}

/// The word of 8 bytes at `at`.
pub(crate) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(get(bytes, at))
}

/// Whether a reserved field is zero. One that is not in the structure is not.
pub(crate) fn is_zero(bytes: &[u8], field: Range<usize>) -> bool {
    bytes
        .get(field)
        .is_some_and(|field| field.iter().all(|&byte| byte == 0))
}
