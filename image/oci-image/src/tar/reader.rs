//! Reads the entries of an archive one after the other.

use std::io::{self, Read};

use super::header::Header;
use super::pax::Records;
use super::sparse::{self, TextMap};
use super::{BLOCK, BadField, Entry, EntryKind, FileEntry, PAX_LOCAL, TarError, Timestamp, padding};

/// Bound on extended headers and long names, as in Go's `archive/tar`.
const MAX_EXTENSION: u64 = 1 << 20;

/// Where an archive comes from: a stream, or something that can pass over bytes without reading them.
pub(crate) trait Input: Read {
    /// Passes over `len` bytes; an end before that is `UnexpectedEof`.
    fn skip(&mut self, len: u64) -> io::Result<()>;
}

/// An input that skips by reading.
pub(crate) struct Stream<R>(pub(crate) R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Input for Stream<R> {
    fn skip(&mut self, len: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.0).take(len), &mut io::sink())?;
        if skipped == len {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// A reader of an archive. After each entry of kind `File`, `Read` gives its stored bytes.
pub(crate) struct Reader<I> {
    input: I,
    /// Bytes consumed so far.
    position: u64,
    /// Stored bytes of the current entry that were not read yet, and the padding after them.
    content: u64,
    padding: u64,
}

/// What extension headers said about the entry that follows them.
#[derive(Default)]
struct Extensions {
    records: Records,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<I: Input> Reader<I> {
    pub(crate) fn new(input: I) -> Self {
        Self {
            input,
            position: 0,
            content: 0,
            padding: 0,
        }
    }

    pub(crate) fn input_mut(&mut self) -> &mut I {
        &mut self.input
    }

    /// Gives the input back, to read what follows the end of the archive.
    pub(crate) fn into_input(self) -> I {
        self.input
    }

    /// The next entry, or `None` at the end of the archive. What was not read of the current entry is skipped.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extensions = Extensions::default();
        loop {
            if !self.skip_content()? {
                return Ok(None);
            }
            let offset = self.position;
            let Some(block) = self.read_block()? else {
                return Ok(None);
            };
            if block == [0; BLOCK] {
                // Two zero blocks end an archive; some writers leave out the second or both.
                return match self.read_block()? {
                    None => Ok(None),
                    Some(second) if second == [0; BLOCK] => Ok(None),
                    Some(_) => Err(TarError::NotAHeader(offset)),
                };
            }
            let header = Header::from_block(&block).ok_or(TarError::NotAHeader(offset))?;
            let size = header.size().map_err(|bad| bad.at(offset))?;
            match header.kind {
                // b'X' is Solaris' name for the same.
                PAX_LOCAL | b'X' => {
                    let body = self.read_extension(size, "PAX header size")?;
                    extensions.records = Records::parse(&body).map_err(|bad| bad.at(offset))?;
                }
                b'g' => {
                    let body = self.read_extension(size, "PAX header size")?;
                    if Records::parse(&body)
                        .map_err(|bad| bad.at(offset))?
                        .change_entries()
                    {
                        let what = "a global PAX header that changes all entries";
                        return Err(TarError::Unsupported { what, offset });
                    }
                }
                b'L' => extensions.long_name = Some(self.read_long(size)?),
                b'K' => extensions.long_link = Some(self.read_long(size)?),
                // A volume label names the archive.
                b'V' => self.set_content(size),
                _ => return self.entry(&header, extensions, offset).map(Some),
            }
        }
    }

    fn entry(&mut self, header: &Header, extensions: Extensions, offset: u64) -> Result<Entry, TarError> {
        let at = |bad: BadField| bad.at(offset);
        let Extensions {
            mut records,
            long_name,
            long_link,
        } = extensions;
        let mut path = long_name.or(records.path.take()).unwrap_or_else(|| header.path());
        let link = long_link.or(records.link.take()).unwrap_or_else(|| header.link());
        let stored = match records.size {
            Some(size) => size,
            None => header.size().map_err(at)?,
        };
        let mut kind = match header.kind {
            // Before POSIX, a directory was a file whose name ends with a slash.
            0 if path.ends_with(b"/") => EntryKind::Directory,
            0 | b'0' | b'7' | b'S' => {
                EntryKind::File(self.file(header, &mut records, &mut path, stored, offset)?)
            }
            b'1' => EntryKind::HardLink(link),
            b'2' => EntryKind::Symlink(link),
            b'3' | b'4' => {
                let (major, minor) = header.device().map_err(at)?;
                match header.kind {
                    b'3' => EntryKind::CharDevice { major, minor },
                    _ => EntryKind::BlockDevice { major, minor },
                }
            }
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            b'M' => {
                return Err(TarError::Unsupported {
                    what: "a part of a multi-volume archive",
                    offset,
                });
            }
            _ => {
                return Err(TarError::Unsupported {
                    what: "of an unknown type",
                    offset,
                });
            }
        };
        // Only files have content; what other entries state as their size is no data (as in Go).
        if let EntryKind::File(file) = &mut kind {
            file.offset = self.position;
        }
        Ok(Entry {
            path,
            kind,
            mode: header.mode().map_err(at)?,
            uid: records.uid.map_or_else(|| header.uid(), Ok).map_err(at)?,
            gid: records.gid.map_or_else(|| header.gid(), Ok).map_err(at)?,
            mtime: match records.mtime {
                Some(mtime) => mtime,
                None => Timestamp {
                    seconds: header.mtime().map_err(at)?,
                    nanoseconds: 0,
                },
            },
            xattrs: records.xattrs,
        })
    }

    /// Works out what of a file is stored, and reads the map of a sparse file if it precedes the content.
    fn file(
        &mut self,
        header: &Header,
        records: &mut Records,
        path: &mut Vec<u8>,
        stored: u64,
        offset: u64,
    ) -> Result<FileEntry, TarError> {
        let at = |bad: BadField| bad.at(offset);
        let pax = &mut records.sparse;
        if header.kind == b'S' {
            let tail = header.gnu_tail().map_err(at)?;
            let len = super::header::count(&tail.real_size).map_err(|()| at(BadField("size")))?;
            let mut extents = Vec::new();
            sparse::push_gnu(&mut extents, &tail.sparse).map_err(at)?;
            let mut is_extended = tail.is_extended != 0;
            while is_extended {
                let table;
                (table, is_extended) = sparse::gnu_block(self.read_whole_block()?);
                sparse::push_gnu(&mut extents, &table).map_err(at)?;
            }
            self.set_content(stored);
            let extents = sparse::check(extents, len, stored).map_err(at)?;
            return Ok(FileEntry {
                len,
                extents: Some(extents),
                offset: 0,
            });
        }
        let extents = match (pax.major, pax.minor) {
            (Some(1), Some(0)) => {
                let mut map = TextMap::default();
                let mut left = stored;
                loop {
                    left = left
                        .checked_sub(BLOCK as u64)
                        .ok_or_else(|| at(BadField("size")))?;
                    if map.push(&self.read_whole_block()?).map_err(at)? {
                        break;
                    }
                }
                self.content = left;
                self.padding = padding(left);
                map.into_extents()
            }
            (None, None) if pax.real_size.is_none() => {
                self.set_content(stored);
                return Ok(FileEntry {
                    len: stored,
                    extents: None,
                    offset: 0,
                });
            }
            (None | Some(0), _) => {
                self.set_content(stored);
                sparse::from_pairs(&pax.map).map_err(at)?
            }
            _ => {
                return Err(TarError::Unsupported {
                    what: "a sparse file of an unknown format",
                    offset,
                });
            }
        };
        // The header's own path is a placeholder such as `GNUSparseFile.1/name`.
        if let Some(name) = pax.name.take() {
            *path = name;
        }
        let len = pax.real_size.ok_or_else(|| at(BadField("size")))?;
        let extents = sparse::check(extents, len, self.content).map_err(at)?;
        Ok(FileEntry {
            len,
            extents: Some(extents),
            offset: 0,
        })
    }

    fn set_content(&mut self, len: u64) {
        self.content = len;
        self.padding = padding(len);
    }

    /// False if the archive ends here: some writers leave out the padding after the last content, and the end with it.
    /// Go's reader takes that as an end, and so do tools that are written in Go.
    fn skip_content(&mut self) -> Result<bool, TarError> {
        let content = std::mem::take(&mut self.content);
        self.skip(content)?;
        let padding = std::mem::take(&mut self.padding);
        match self.skip(padding) {
            Err(TarError::Truncated(_)) => Ok(false),
            skipped => skipped.map(|()| true),
        }
    }

    fn skip(&mut self, len: u64) -> Result<(), TarError> {
        if len > 0 {
            let end = self
                .position
                .checked_add(len)
                .ok_or(TarError::Truncated(self.position))?;
            self.input.skip(len).map_err(|error| self.failed(error))?;
            self.position = end;
        }
        Ok(())
    }

    fn read_extension(&mut self, size: u64, field: &'static str) -> Result<Vec<u8>, TarError> {
        if size > MAX_EXTENSION {
            return Err(BadField(field).at(self.position));
        }
        let mut body = Vec::new();
        self.set_content(size);
        self.read_to_end(&mut body).map_err(|error| self.failed(error))?;
        Ok(body)
    }

    /// A GNU long name: text that may end with a NUL.
    fn read_long(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.read_extension(size, "long name")?;
        if let Some(end) = name.iter().position(|&byte| byte == 0) {
            name.truncate(end);
        }
        Ok(name)
    }

    fn read_whole_block(&mut self) -> Result<[u8; BLOCK], TarError> {
        self.read_block()?.ok_or(TarError::Truncated(self.position))
    }

    /// A block, or `None` if the input ends here.
    fn read_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TarError::Truncated(self.position)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        self.position = self.position.saturating_add(BLOCK as u64);
        Ok(Some(block))
    }

    /// What a failure to read means here.
    pub(crate) fn failed(&self, error: io::Error) -> TarError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => TarError::Truncated(self.position),
            _ => TarError::Io(error),
        }
    }
}

/// Reads stored bytes of the current file. An archive that ends before them is `UnexpectedEof`.
impl<I: Input> Read for Reader<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.content)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(buffer) = buffer.get_mut(..len).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = self.input.read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content -= count as u64;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}
