//! A range of a file: a blob of a layout, or a member of an archive, read without loading it.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::reference::STANDARD_INPUT;
use crate::tar::Input;

/// Bytes that a pipe may give.
const MAX_PIPED_LEN: u64 = 1 << 40;

/// `len` bytes at `offset` of an open file.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    file: Arc<File>,
    /// For messages.
    path: Arc<Path>,
    offset: u64,
    len: u64,
}

impl Blob {
    /// Opens a whole file. Only regular files: others cannot be read by offset.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // A pipe in place of a file would otherwise wait for a writer.
        let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options()
            .read(true)
            .custom_flags(without_waiting)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let message = if metadata.is_dir() {
                "is a directory"
            } else {
                "is not a regular file"
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self::from_file(file, path, metadata.len()))
    }

    /// Opens an archive, which may also come through a pipe: then it is copied to a temporary file without a name.
    pub(crate) fn open_archive(path: &Path) -> io::Result<Self> {
        let is_standard = path == Path::new(STANDARD_INPUT) || path == Path::new("/dev/stdin");
        let source = if is_standard {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else if path.metadata()?.file_type().is_fifo() {
            File::open(path)?
        } else {
            return Self::open(path);
        };
        if source.is_terminal() {
            return Err(io::Error::other("is a terminal: pipe an archive into nacre"));
        }
        let metadata = source.metadata()?;
        if metadata.is_file() {
            return Ok(Self::from_file(source, path, metadata.len()));
        }
        let mut copy = tempfile::tempfile()?;
        let len = io::copy(&mut source.take(MAX_PIPED_LEN), &mut copy).map_err(|error| {
            let dir = std::env::temp_dir();
            let text = format!(
                "cannot be copied to {} (set TMPDIR to a directory with room for the image): {error}",
                dir.display()
            );
            io::Error::new(error.kind(), text)
        })?;
        if len == MAX_PIPED_LEN {
            return Err(io::Error::other("gives more than 1 TiB"));
        }
        Ok(Self::from_file(copy, path, len))
    }

    pub(crate) fn from_file(file: File, path: &Path, len: u64) -> Self {
        Self {
            file: Arc::new(file),
            path: path.into(),
            offset: 0,
            len,
        }
    }

    /// A part of this blob, or `None` if it reaches beyond the end.
    pub(crate) fn slice(&self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len)?;
        (end <= self.len).then(|| Self {
            offset: self.offset + offset,
            len,
            ..self.clone()
        })
    }

    /// The open file that the blob is a part of.
    pub(crate) fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the blob begins in its file, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The first bytes, at most `N`; the rest of the array is zero.
    pub(crate) fn first<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        let mut reader = self.reader();
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match reader.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(bytes)
    }

    pub(crate) fn reader(&self) -> BlobReader {
        BlobReader {
            blob: self.clone(),
            position: 0,
        }
    }
}

/// Reads a blob from its beginning. A file that became shorter is an error, not an early end.
pub(crate) struct BlobReader {
    blob: Blob,
    position: u64,
}

impl BlobReader {
    /// Bytes read or passed over so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.len - self.position;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..len).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = self.blob.file.read_at(buffer, self.blob.offset + self.position)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Input for BlobReader {
    fn skip(&mut self, len: u64) -> io::Result<()> {
        if len > self.blob.len - self.position {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += len;
        Ok(())
    }
}
