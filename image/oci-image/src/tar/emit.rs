//! Writes archives whose contents begin at page boundaries.
//!
//! A PAX header with nothing but a comment stands before a header whose content would not be aligned. Every tar
//! reader passes over it.

use zerocopy::IntoBytes;

use super::header::Header;
use super::{BLOCK, PAX_LOCAL, padding};

/// The alignment of contents, in bytes: the page size, so that they can be mapped into memory.
pub(crate) const ALIGNMENT: u64 = 4096;

/// The path does not fit into a ustar header (100 bytes).
#[derive(Debug, thiserror::Error)]
#[error("the path {0:?} is longer than 100 bytes")]
pub struct PathTooLong(pub(crate) String);

/// A directory's header.
pub(crate) fn directory(path: &str, mode: u32) -> Result<Vec<u8>, PathTooLong> {
    header(path, b'5', mode, 0)
}

/// A file's header; its content of `len` bytes and `content_padding(len)` zeros follow.
pub(crate) fn file(path: &str, mode: u32, len: u64) -> Result<Vec<u8>, PathTooLong> {
    header(path, b'0', mode, len)
}

/// A comment of the right size, then the file's header, so that the content of a file whose header would be at
/// `position` (a multiple of 512) begins at a multiple of [`ALIGNMENT`].
pub(crate) fn aligned_file(path: &str, mode: u32, len: u64, position: u64) -> Result<Vec<u8>, PathTooLong> {
    let mut bytes = Vec::new();
    let block = BLOCK as u64;
    if !(position + block).is_multiple_of(ALIGNMENT) {
        // Comment header, at least one block of comment, file header.
        let least = position + 3 * block;
        let comment_len = block + least.next_multiple_of(ALIGNMENT) - least;
        bytes.extend(header("pad", PAX_LOCAL, 0o644, comment_len)?);
        let mut comment = format!("{comment_len} comment=");
        let spaces = (comment_len as usize).saturating_sub(comment.len() + 1);
        comment.extend(std::iter::repeat_n(' ', spaces));
        comment.push('\n');
        bytes.extend(comment.bytes());
    }
    bytes.extend(header(path, b'0', mode, len)?);
    Ok(bytes)
}

/// Zeros after a content of `len` bytes.
pub(crate) fn content_padding(len: u64) -> &'static [u8] {
    ZEROS.get(..padding(len) as usize).unwrap_or_default()
}

/// What ends an archive.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
static ZEROS: [u8; BLOCK] = [0; BLOCK];

fn header(path: &str, kind: u8, mode: u32, len: u64) -> Result<Vec<u8>, PathTooLong> {
    let header = Header::new(path.as_bytes(), kind, mode, len).ok_or_else(|| PathTooLong(path.to_owned()))?;
    Ok(header.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::{EntryKind, Reader, Stream};

    #[test]
    fn contents_are_aligned_wherever_the_header_is() {
        for blocks in 0..20 {
            let mut archive = Vec::new();
            for number in 0..blocks {
                archive.extend(directory(&format!("d{number}/"), 0o755).unwrap());
            }
            archive.extend(aligned_file("file", 0o644, 3, archive.len() as u64).unwrap());
            assert!((archive.len() as u64).is_multiple_of(ALIGNMENT));
            archive.extend(b"abc");
            archive.extend(content_padding(3));
            archive.extend(END);

            let mut reader = Reader::new(Stream(&archive[..]));
            let mut last = None;
            while let Some(entry) = reader.next_entry().unwrap() {
                last = Some(entry);
            }
            let entry = last.unwrap();
            assert_eq!(entry.path, b"file");
            let EntryKind::File(file) = entry.kind else {
                panic!("no file")
            };
            assert_eq!(&archive[file.offset as usize..][..3], b"abc");
        }
    }
}
