//! The root file system's image, mapped for the enclave to read.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use enclave_layout::PAGE_SIZE;

use crate::start::Error;

/// Where the root file system's image lies: a part of a file.
#[derive(Clone, Copy, Debug)]
pub struct RootfsFile<'a> {
    /// The file.
    pub file: &'a File,
    /// First byte of the image.
    pub offset: u64,
    /// Bytes of the image.
    pub len: u64,
}

/// The mapping. It stays for as long as the process lives.
#[derive(Debug)]
pub(crate) struct RootfsMapping {
    start: u64,
    len: usize,
    /// Bytes before the image, since mappings begin at pages.
    skipped: u64,
    /// Bytes that the enclave has filled pages with since the mapping's were given back.
    copied: AtomicU64,
}

/// From how many bytes on it is worth to give the mapping's pages back.
const COPIED_MIN: u64 = 64 << 10;

impl RootfsMapping {
    /// Maps the image.
    pub(crate) fn new(rootfs: RootfsFile) -> Result<Self, Error> {
        let RootfsFile { file, offset, len } = rootfs;
        let size = file
            .metadata()
            .map_err(|error| Error::Kernel("cannot read the root file system", error))?
            .len();
        if len == 0 || offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(Error::Truncated { offset, len, size });
        }
        let skipped = offset % PAGE_SIZE;
        let length = (len + skipped) as usize;
        // Shared: what the host changes in the file is seen, and detected, by the enclave.
        // SAFETY: a new mapping.
        let address = unsafe {
            let start = (offset - skipped).cast_signed();
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                start,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(Error::Kernel(
                "cannot map the root file system",
                io::Error::last_os_error(),
            ));
        }
        Ok(Self {
            start: address.expose_provenance() as u64,
            len: length,
            skipped,
            copied: AtomicU64::new(0),
        })
    }

    /// Address of the image's first byte.
    pub(crate) fn address(&self) -> u64 {
        self.start + self.skipped
    }

    /// The enclave has filled so many bytes of its pages, most likely with what it read here.
    pub(crate) fn note_copied(&self, bytes: u64) {
        self.copied.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Before a wait: unmaps the pages that the enclave has copies of. They count as this process's memory, the kernel maps
    /// many around each that is read, and the page cache has them still.
    pub(crate) fn give_back(&self) {
        if self.copied.load(Ordering::Relaxed) < COPIED_MIN {
            return;
        }
        self.copied.store(0, Ordering::Relaxed);
        let start = ptr::with_exposed_provenance_mut(self.start as usize);
        // That it fails would only mean that the pages stay.
        // SAFETY: a shared mapping of a file, whose pages come back as they are when they are read.
        unsafe { libc::madvise(start, self.len, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file() -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..2 * COPIED_MIN).map(|at| at as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes)
    }

    fn mapped(mapping: &RootfsMapping, len: usize) -> &'static [u8] {
        // SAFETY: mapped, and never unmapped; the file does not change.
        unsafe { std::slice::from_raw_parts(mapping.address() as *const u8, len) }
    }

    #[test]
    fn any_part_of_a_file_is_mapped() {
        let (file, bytes) = file();
        let part = |offset, len| RootfsFile {
            file: &file,
            offset,
            len,
        };
        let mapping = RootfsMapping::new(part(5003, 7)).unwrap();
        assert_eq!(mapped(&mapping, 7), &bytes[5003..5010]);
        let end = bytes.len() as u64;
        for (offset, len) in [(0, end + 1), (end, 1), (u64::MAX, 2), (0, 0)] {
            assert!(matches!(
                RootfsMapping::new(part(offset, len)),
                Err(Error::Truncated { .. })
            ));
        }
    }

    #[test]
    fn pages_that_were_copied_are_given_back_and_come_again() {
        let (file, bytes) = file();
        let mapping = RootfsMapping::new(RootfsFile {
            file: &file,
            offset: 0,
            len: bytes.len() as u64,
        })
        .unwrap();
        let resident = || {
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let at = maps.find(&format!("{:x}-", mapping.start)).unwrap();
            let line = maps[at..].lines().find(|line| line.starts_with("Rss:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        assert_eq!(mapped(&mapping, bytes.len()), bytes);
        mapping.note_copied(COPIED_MIN - 1);
        mapping.give_back();
        assert_ne!(resident(), 0, "not worth it yet");
        mapping.note_copied(1);
        mapping.give_back();
        assert_eq!(resident(), 0);
        assert_eq!(mapped(&mapping, bytes.len()), bytes);
    }
}
