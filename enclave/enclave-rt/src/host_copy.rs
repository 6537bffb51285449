//! Copies between the enclave and the host's memory: whole words of eight bytes, at multiples of eight.
//!
//! On processors with stale data in their buffers, other reads of memory that the host may have mapped to a device hand the enclave
//! what others left there (INTEL-SA-00657), and other writes hand the host what the enclave left (INTEL-SA-00615). Intel's remedy for a
//! write of fewer bytes is VERW in front and fences behind it. Here there is none: the word at either end is read, changed and written
//! as a whole. What lies beside the bytes in such a word is the host's, and stays as it was read; words never leave the host's memory,
//! whose ends are multiples of eight.

use crate::user;

/// Bytes of a word.
const WORD: usize = 8;

/// A range of the host's memory as words: the bytes of the first that do not begin there, whole ones, and those of the last.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    head: usize,
    words: usize,
    tail: usize,
}

fn parts(host: u64, len: usize) -> Parts {
    let offset = (host % WORD as u64) as usize;
    let head = if offset == 0 { 0 } else { (WORD - offset).min(len) };
    let rest = len - head;
    Parts {
        head,
        words: rest / WORD,
        tail: rest % WORD,
    }
}

/// Copies `len` bytes from the host. 0, or 1 if `to` is a program's memory and faulted.
///
/// # Safety
/// `to` is valid for writes of `len` bytes, or a program's; `host` is such a range of the host's memory.
pub(crate) unsafe fn read(to: u64, host: u64, len: usize) -> u64 {
    let Parts { head, words, tail } = parts(host, len);
    let mut done = 0;
    if head != 0 {
        // SAFETY: the caller's promise, for the first bytes.
        if unsafe { read_part(to, host, head) } != 0 {
            return 1;
        }
        done = head;
    }
    // SAFETY: as above, for the whole words.
    if unsafe { user::copy_words(to + done as u64, host + done as u64, words) } != 0 {
        return 1;
    }
    done += words * WORD;
    match tail {
        0 => 0,
        // SAFETY: as above, for the last bytes.
        _ => unsafe { read_part(to + done as u64, host + done as u64, tail) },
    }
}

/// Copies `len` bytes to the host. 0, or 1 if `from` is a program's memory and faulted.
///
/// # Safety
/// `from` is valid for reads of `len` bytes, or a program's; `host` is such a range of the host's memory.
pub(crate) unsafe fn write(host: u64, from: u64, len: usize) -> u64 {
    let Parts { head, words, tail } = parts(host, len);
    let mut done = 0;
    if head != 0 {
        // SAFETY: the caller's promise, for the first bytes.
        if unsafe { write_part(host, from, head) } != 0 {
            return 1;
        }
        done = head;
    }
    // SAFETY: as above, for the whole words.
    if unsafe { user::copy_words(host + done as u64, from + done as u64, words) } != 0 {
        return 1;
    }
    done += words * WORD;
    match tail {
        0 => 0,
        // SAFETY: as above, for the last bytes.
        _ => unsafe { write_part(host + done as u64, from + done as u64, tail) },
    }
}

/// # Safety
/// As [`read`]; the bytes lie within one word.
unsafe fn read_part(to: u64, host: u64, len: usize) -> u64 {
    let (at, offset) = word_of(host);
    let mut word = [0u8; WORD];
    // SAFETY: the word lies in the host's memory, which does not begin or end within a word.
    unsafe { user::copy_words(word.as_mut_ptr() as u64, at, 1) };
    // SAFETY: the caller's promise, and a part of the word.
    unsafe { user::copy_bytes(to, word.as_ptr() as u64 + offset, len) }
}

/// # Safety
/// As [`write`]; the bytes lie within one word.
unsafe fn write_part(host: u64, from: u64, len: usize) -> u64 {
    let (at, offset) = word_of(host);
    let mut word = [0u8; WORD];
    // SAFETY: as in `read_part`.
    unsafe { user::copy_words(word.as_mut_ptr() as u64, at, 1) };
    // SAFETY: the caller's promise, and a part of the word.
    if unsafe { user::copy_bytes(word.as_mut_ptr() as u64 + offset, from, len) } != 0 {
        return 1;
    }
    // SAFETY: as in `read_part`.
    unsafe { user::copy_words(at, word.as_ptr() as u64, 1) }
}

/// The word that a byte lies in: its address, and the byte's place in it.
fn word_of(host: u64) -> (u64, u64) {
    let offset = host % WORD as u64;
    (host - offset, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(8))]
    struct Room([u8; 208]);

    #[test]
    fn every_length_at_every_place_is_copied_exactly() {
        let from: [u8; 208] = core::array::from_fn(|index| index as u8 + 1);
        for offset in 0..WORD {
            for len in 0..200 - WORD {
                let mut host = Room([0xee; 208]);
                let at = host.0.as_mut_ptr() as u64 + offset as u64;
                // SAFETY: `len` bytes fit into both arrays, from any byte of the first word on.
                assert_eq!(unsafe { write(at, from.as_ptr() as u64 + 3, len) }, 0);
                let mut expected = [0xee; 208];
                expected[offset..offset + len].copy_from_slice(&from[3..3 + len]);
                assert_eq!(host.0, expected, "{offset} {len}");
                let mut to = [0xdd; 208];
                // SAFETY: as above.
                assert_eq!(unsafe { read(to.as_mut_ptr() as u64 + 5, at, len) }, 0);
                let mut expected = [0xdd; 208];
                expected[5..5 + len].copy_from_slice(&from[3..3 + len]);
                assert_eq!(to, expected, "{offset} {len}");
            }
        }
    }

    #[test]
    fn ends_that_are_no_words_are_told_apart() {
        let split = |host, len| {
            let Parts { head, words, tail } = parts(host, len);
            (head, words, tail)
        };
        assert_eq!(split(16, 56), (0, 7, 0));
        assert_eq!(split(17, 3), (3, 0, 0));
        assert_eq!(split(17, 7 + 8 + 2), (7, 1, 2));
        assert_eq!(split(16, 5), (0, 0, 5));
        assert_eq!(split(23, 0), (0, 0, 0));
    }
}
