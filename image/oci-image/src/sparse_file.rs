//! Files whose long runs of zeros are holes: an image may have files of many GiB that hold next to nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Runs of zeros shorter than this are written: a multiple of the block size of every file system.
const PIECE: usize = 64 << 10;

static ZEROS: [u8; PIECE] = [0; PIECE];

/// Writes `bytes` at `offset` of a file in which nothing has been written from there on, and leaves out pieces that are
/// zeros. So the file may be too short afterwards: its length is to be set at the end.
///
/// # Errors
/// When the file cannot be written.
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut position = offset;
    // Bytes that wait to be written together.
    let mut waiting: &[u8] = &[];
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(PIECE));
        let taken = waiting.len() + piece.len();
        if is_zeros(piece) {
            file.write_all_at(waiting, position)?;
            position += taken as u64;
            waiting = &[];
        } else {
            let from = bytes.len() - rest.len() - waiting.len();
            waiting = bytes.get(from..from + taken).unwrap_or_default();
        }
        rest = after;
    }
    file.write_all_at(waiting, position)
}

fn is_zeros(piece: &[u8]) -> bool {
    ZEROS.get(..piece.len()) == Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_become_holes_and_all_bytes_come_back() {
        let ones = vec![1; PIECE];
        let zeros = vec![0; 4 * PIECE];
        for parts in [
            vec![&ones[..], &zeros, &ones],
            vec![&zeros[..], &ones],
            vec![&ones[..], &ones, &ones[..7]],
            vec![&ones[..], &zeros[..PIECE + 7]],
            vec![&ones[..10], &zeros, &ones[..10]],
            vec![&zeros[..]],
            vec![],
        ] {
            let bytes = parts.concat();
            let file = tempfile::tempfile().unwrap();
            write_at(&file, &bytes, 4096).unwrap();
            let len = 4096 + bytes.len() as u64;
            assert!(file.metadata().unwrap().len() <= len);
            file.set_len(len).unwrap();
            let mut back = vec![9; bytes.len()];
            file.read_exact_at(&mut back, 4096).unwrap();
            assert!(back == bytes);
        }
        let file = tempfile::tempfile().unwrap();
        write_at(&file, &vec![0; 64 * PIECE], 0).unwrap();
        write_at(&file, b"end", 64 * PIECE as u64).unwrap();
        assert!(file.metadata().unwrap().blocks() * 512 < PIECE as u64);
    }
}
