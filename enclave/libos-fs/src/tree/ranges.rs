//! What changes whole ranges of a file, and finds holes in it.

use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::Ordering;

use kobject::{Errno, Result};
use linux_abi::{AllocateFlags, Seals};

use super::TreeInode;
use super::content::{Grow, MAX_LEN};
use super::pages::{PAGE, Page, Piece};

impl TreeInode {
    /// `ftruncate`.
    pub(crate) fn truncate(&self, len: u64) -> Result<()> {
        let content = self.content()?;
        if len > MAX_LEN {
            return Err(Errno::EINVAL);
        }
        let _writing = content.writing.lock();
        let seals = self.seals();
        let old = content.len();
        if (len < old && seals.contains(Seals::F_SEAL_SHRINK))
            || (len > old && seals.contains(Seals::F_SEAL_GROW))
        {
            return Err(Errno::EPERM);
        }
        let mut cut = || {
            let mut pages = content.pages.lock();
            if len < old {
                pages.truncate(len, &self.tree.budget);
            }
            content.len.store(len, Ordering::Release);
            Ok(())
        };
        match self.shared() {
            Some(shared) if len < old => shared.zero(len..u64::MAX, &mut cut)?,
            _ => cut()?,
        }
        self.touch_modified();
        Ok(())
    }

    /// `fallocate`.
    pub(crate) fn allocate(&self, mode: AllocateFlags, offset: u64, len: u64) -> Result<()> {
        let content = self.content()?;
        let end = offset.checked_add(len).filter(|&end| end <= MAX_LEN);
        let end = end.ok_or(Errno::EFBIG)?;
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let keep = mode.contains(AllocateFlags::FALLOC_FL_KEEP_SIZE);
        // A file system in memory alone is a tmpfs, and that has two modes only.
        let is_tmpfs = self.tree.image.is_none();
        let (zero, reserve) = match mode - AllocateFlags::FALLOC_FL_KEEP_SIZE {
            mode if mode.is_empty() => (false, true),
            AllocateFlags::FALLOC_FL_PUNCH_HOLE if keep => (true, false),
            AllocateFlags::FALLOC_FL_UNSHARE_RANGE if !is_tmpfs => (false, true),
            AllocateFlags::FALLOC_FL_ZERO_RANGE if !is_tmpfs => (true, true),
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let _writing = content.writing.lock();
        let old = content.len();
        let seals = self.seals();
        if zero && seals.intersects(Seals::F_SEAL_WRITE | Seals::F_SEAL_FUTURE_WRITE)
            || (reserve && end > old && seals.contains(Seals::F_SEAL_GROW))
        {
            return Err(Errno::EPERM);
        }
        if zero {
            match self.shared() {
                Some(shared) => shared.zero(offset..end, &mut || self.zero(offset..end))?,
                None => self.zero(offset..end)?,
            }
        }
        if reserve {
            let numbers = offset / PAGE..end.div_ceil(PAGE);
            content.pages.lock().reserve(numbers, &self.tree.budget)?;
        }
        if !keep {
            content.len.fetch_max(end, Ordering::AcqRel);
        }
        self.touch_modified();
        Ok(())
    }

    /// Makes a range zeros, whole pages holes.
    fn zero(&self, range: Range<u64>) -> Result<()> {
        let content = self.content()?;
        let first_whole = range.start.div_ceil(PAGE);
        let end_whole = range.end / PAGE;
        let mut edges = [
            range.start..range.end.min(first_whole * PAGE),
            range.start.max(end_whole * PAGE)..range.end,
        ];
        if first_whole > end_whole {
            // Within one page.
            edges = [range.clone(), 0..0];
        }
        for edge in edges.into_iter().filter(|edge| edge.start < edge.end) {
            let data = content.pages.lock().is_data(edge.start);
            if data && edge.start < content.len() {
                let zeros: Page = [0; PAGE as usize];
                let count = (edge.end - edge.start) as usize;
                let fresh = self.fresh_page(edge.start / PAGE, count)?;
                let bytes = zeros.get(..count).ok_or(Errno::EIO)?;
                self.put_bytes(edge.start, bytes, fresh, Grow::No)?;
            }
        }
        let mut pages = content.pages.lock();
        let image_end = pages.image().div_ceil(PAGE).min(end_whole);
        for index in first_whole..image_end {
            pages.punch(index, &self.tree.budget);
        }
        let rest = first_whole.max(image_end)..end_whole.max(first_whole.max(image_end));
        let behind: Vec<u64> = pages.numbers(rest).collect();
        for index in behind {
            pages.punch(index, &self.tree.budget);
        }
        Ok(())
    }

    /// SEEK_DATA, SEEK_HOLE; ENXIO.
    pub(crate) fn seek_data(&self, offset: u64, hole: bool) -> Result<u64> {
        let content = self.content()?;
        let len = content.len();
        let pages = content.pages.lock();
        let mut position = offset;
        while position < len {
            // As on Linux, whole pages are data or holes.
            let start = position / PAGE * PAGE;
            let (is_data, end) = match pages.piece(start) {
                Piece::Page(_) => (true, start + PAGE),
                Piece::Image(end) => (true, end.next_multiple_of(PAGE)),
                Piece::Hole(end) => (false, end),
            };
            if is_data != hole {
                return Ok(position);
            }
            position = end;
        }
        if hole && offset < len {
            Ok(len)
        } else {
            Err(Errno::ENXIO)
        }
    }
}
