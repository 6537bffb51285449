//! The contents of a tree's files, one after the other in a temporary file that has no name.
//!
//! The kernel frees it when the process ends, however it ends. Holes of sparse files stay holes, and zeros become some:
//! what writes layers in Go knows no sparse files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::sparse_file;

/// A file's content: a range of the spool, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    offset: u64,
    len: u64,
}

impl Content {
    /// The file's size in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The finished spool.
#[derive(Debug)]
pub(super) struct Spool(File);

impl Spool {
    pub(super) fn reader(&self, content: &Content) -> ContentReader<'_> {
        ContentReader {
            spool: self,
            content: content.clone(),
            position: 0,
        }
    }

    pub(super) fn read_at(&self, content: &Content, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = content.len.saturating_sub(offset);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..len) else {
            return Ok(0);
        };
        self.0
            .read_exact_at(buffer, content.offset.saturating_add(offset))?;
        Ok(len)
    }

    /// Bytes of these files that are stored; the others are holes. As exact as the file system's blocks.
    pub(super) fn data_len<'a>(&self, contents: impl Iterator<Item = &'a Content>) -> io::Result<u64> {
        let mut sum: u64 = 0;
        for content in contents {
            let end = content.offset.saturating_add(content.len);
            let mut at = content.offset;
            while at < end {
                at = match seek(&self.0, SeekFrom::Data(at)) {
                    Ok(data) => data,
                    // There is no data from there on.
                    Err(Errno::NXIO) => break,
                    Err(error) => return Err(error.into()),
                };
                let hole = seek(&self.0, SeekFrom::Hole(at))?.min(end);
                sum = sum.saturating_add(hole.saturating_sub(at));
                at = hole.max(at.saturating_add(1));
            }
        }
        Ok(sum)
    }
}

/// Reads one file.
pub struct ContentReader<'a> {
    spool: &'a Spool,
    content: Content,
    position: u64,
}

impl Read for ContentReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.spool.read_at(&self.content, self.position, buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Large enough that small files share a write, small enough for the cache.
const BUFFER_LEN: usize = 512 << 10;

/// The spool while it is written.
pub(super) struct SpoolWriter {
    file: File,
    /// Bytes of the spool that are complete, in the file or in the buffer.
    len: u64,
    /// The last `filled` bytes of the spool, not yet in the file.
    buffer: Box<[u8]>,
    filled: usize,
    /// The spool may not become longer than this.
    max_len: u64,
}

/// Writing the spool failed; distinguished from reading the layer.
#[derive(Debug)]
pub(super) enum SpoolError {
    /// The spool would exceed its bound.
    TooLong,
    Read(io::Error),
    Write(io::Error),
}

impl SpoolWriter {
    pub(super) fn create(dir: &Path, max_len: u64) -> io::Result<Self> {
        let file = tempfile::tempfile_in(dir)?;
        Ok(Self {
            file,
            len: 0,
            buffer: vec![0; BUFFER_LEN].into(),
            filled: 0,
            max_len,
        })
    }

    /// A file of `len` bytes, to be filled from here on. Fails before anything is written if it is too large.
    pub(super) fn begin(&self, len: u64) -> Result<Content, SpoolError> {
        match self.len.checked_add(len) {
            Some(end) if end <= self.max_len => Ok(Content {
                offset: self.len,
                len,
            }),
            _ => Err(SpoolError::TooLong),
        }
    }

    /// Appends `len` bytes of `source`; fewer are an error.
    pub(super) fn append(&mut self, source: &mut impl Read, mut len: u64) -> Result<(), SpoolError> {
        while len > 0 {
            if self.filled == self.buffer.len() {
                self.flush().map_err(SpoolError::Write)?;
            }
            let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let wanted = usize::try_from(len).unwrap_or(usize::MAX).min(free.len());
            let free = free.get_mut(..wanted).unwrap_or_default();
            let count = match source.read(free) {
                Ok(0) => return Err(SpoolError::Read(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SpoolError::Read(error)),
            };
            self.filled += count;
            self.len += count as u64;
            len -= count as u64;
        }
        Ok(())
    }

    /// Appends a hole.
    pub(super) fn append_hole(&mut self, len: u64) -> Result<(), SpoolError> {
        if len > 0 {
            self.flush().map_err(SpoolError::Write)?;
            self.len = self.begin(len)?.offset + len;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Spool> {
        self.flush()?;
        self.file.set_len(self.len)?;
        Ok(Spool(self.file))
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = self.buffer.get(..self.filled).unwrap_or_default();
        sparse_file::write_at(&self.file, bytes, self.len - self.filled as u64)?;
        self.filled = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_holes_come_back() {
        let mut writer = SpoolWriter::create(&std::env::temp_dir(), 1 << 30).unwrap();
        let big: Vec<u8> = (0..2 * BUFFER_LEN + 7).map(|i| i as u8).collect();
        let first = writer.begin(3).unwrap();
        writer.append(&mut &b"abc"[..], 3).unwrap();
        let sparse = writer.begin((1 << 20) + 2).unwrap();
        writer.append_hole(1 << 20).unwrap();
        writer.append(&mut &b"de"[..], 2).unwrap();
        let second = writer.begin(big.len() as u64).unwrap();
        writer.append(&mut &big[..], big.len() as u64).unwrap();
        let hole = writer.begin(10).unwrap();
        writer.append_hole(10).unwrap();
        let spool = writer.finish().unwrap();

        let read = |content: &Content| {
            let mut bytes = Vec::new();
            spool.reader(content).read_to_end(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(read(&first), b"abc");
        assert_eq!(read(&sparse), [&[0; 1 << 20], &b"de"[..]].concat());
        assert_eq!(read(&second), big);
        assert_eq!(read(&hole), [0; 10]);
        let mut tail = [0; 5];
        assert_eq!(spool.read_at(&first, 1, &mut tail).unwrap(), 2);
        assert_eq!(spool.read_at(&first, 9, &mut tail).unwrap(), 0);
        let stored = |contents: &[&Content]| spool.data_len(contents.iter().copied()).unwrap();
        assert_eq!(stored(&[&first, &second]), 3 + big.len() as u64);
        assert!(stored(&[&sparse]) < 300 << 10, "the hole of 1 MiB is one");
    }

    #[test]
    fn short_sources_and_bounds_are_errors() {
        let mut writer = SpoolWriter::create(&std::env::temp_dir(), 100).unwrap();
        assert!(matches!(
            writer.append(&mut &b"a"[..], 2),
            Err(SpoolError::Read(_))
        ));
        assert!(matches!(writer.begin(100), Err(SpoolError::TooLong)));
        assert!(matches!(writer.begin(u64::MAX), Err(SpoolError::TooLong)));
        assert!(matches!(writer.append_hole(100), Err(SpoolError::TooLong)));
    }
}
