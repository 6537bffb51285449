//! A part of a file in memory, without a copy.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::ptr;

use enclave_layout::PAGE_SIZE;

/// Bytes that were read, or are mapped. What is mapped changes with the file: whoever looks twice may see two things.
#[derive(Debug)]
pub struct FileBytes(Bytes);

#[derive(Debug)]
enum Bytes {
    Read(Vec<u8>),
    Mapped(Mapping),
}

#[derive(Debug)]
struct Mapping {
    start: *mut libc::c_void,
    /// Bytes that are mapped, and those before the part, since mappings begin at pages.
    len: usize,
    skipped: usize,
}

// SAFETY: memory that is only read, and belongs to the value.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl FileBytes {
    /// Maps `len` bytes from `offset` on, all at once.
    ///
    /// # Errors
    /// UnexpectedEof if they are not in the file; those of fstat(2) and mmap(2).
    pub fn map(file: &File, offset: u64, len: u64) -> io::Result<Self> {
        let end = offset.checked_add(len);
        if end.is_none_or(|end| file.metadata().is_ok_and(|file| file.len() < end)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if len == 0 {
            return Ok(Vec::new().into());
        }
        let skipped = offset % PAGE_SIZE;
        let length = (len + skipped) as usize;
        // SAFETY: a new mapping.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_POPULATE,
                file.as_raw_fd(),
                (offset - skipped).cast_signed(),
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(Bytes::Mapped(Mapping {
            start,
            len: length,
            skipped: skipped as usize,
        })))
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Read(bytes))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Read(bytes) => bytes,
            Bytes::Mapped(mapping) => {
                let first = mapping.start.cast::<u8>().wrapping_add(mapping.skipped);
                // SAFETY: mapped for as long as the value lives.
                unsafe { std::slice::from_raw_parts(first, mapping.len - mapping.skipped) }
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: its own mapping, to which nothing refers any more.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn any_part_of_a_file_is_there() {
        let bytes: Vec<u8> = (0..20_000).map(|at: u32| at as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        for (offset, len) in [
            (0, 20_000),
            (0, 0),
            (1, 1),
            (4096, 4096),
            (5000, 15_000),
            (20_000, 0),
        ] {
            let part = FileBytes::map(&file, offset, len).unwrap();
            assert_eq!(*part, bytes[offset as usize..][..len as usize], "{offset} {len}");
        }
        for (offset, len) in [(0, 20_001), (20_001, 0), (1, u64::MAX)] {
            let error = FileBytes::map(&file, offset, len).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{offset} {len}");
        }
    }
}
