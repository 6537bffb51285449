//! What is in a regular file: reading and writing. [`super::ranges`] has what changes whole ranges.
//!
//! Two locks: `writing` is held by whoever changes the file by a system call, so that such changes are atomic to one another; the pages'
//! is held for single steps. A program's memory is touched under the first alone: a page of it may have to be populated from this very
//! file, which takes the second.
//!
//! Pages that programs have mapped shared ([`SharedPages`]) are the file's contents as long as they are mapped, so what is read and written
//! goes through them.

use alloc::sync::Arc;
use alloc::vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use kobject::{Errno, Mutex, Result, SharedPages, Sink, Source};
use linux_abi::Seals;

use super::TreeInode;
use super::pages::{PAGE, Page, Pages, Piece, zero_page};

/// Longest file, so that every position fits an `off_t`.
pub(super) const MAX_LEN: u64 = i64::MAX as u64;

/// A regular file's contents.
pub(crate) struct Content {
    /// Bytes. Changes only under the pages' lock.
    pub(super) len: AtomicU64,
    pub(super) writing: Mutex<()>,
    pub(super) pages: Mutex<Pages>,
}

impl Content {
    pub(crate) fn empty() -> Self {
        Self::of_image(0)
    }

    pub(super) fn of_image(len: u64) -> Self {
        Self {
            len: AtomicU64::new(len),
            writing: Mutex::new(()),
            pages: Mutex::new(Pages::of_image(len)),
        }
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Blocks of 512 bytes that hold data.
    pub(super) fn blocks(&self) -> u64 {
        self.pages.lock().shown() * (PAGE / 512)
    }

    /// Bytes of memory that pages take.
    pub(super) fn memory(&self) -> u64 {
        self.pages.lock().count() * PAGE
    }
}

/// From so many bytes on, a read of the image does not fill the cache of its blocks.
const STREAMED: usize = 64 << 10;
/// Bytes that are verified before a program sees them; a power of two of blocks, so that they are verified in pairs.
const STREAM_BUFFER: usize = 32 << 10;

/// Reading and writing: of the inode, because the image and the memory are its file system's.
impl TreeInode {
    /// Reads from `offset`.
    pub(crate) fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize> {
        let content = self.content()?;
        let mut done = 0;
        while to.room() > 0 {
            match self.read_piece(content, offset.saturating_add(done as u64), to) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Reads what lies together; 0 at the end.
    fn read_piece(&self, content: &Content, position: u64, to: &mut dyn Sink) -> Result<usize> {
        let len = content.len();
        let Some(left) = len.checked_sub(position).filter(|&left| left > 0) else {
            return Ok(0);
        };
        let mut most = left.min(to.room() as u64);
        if let Some(shared) = self.shared() {
            most = most.min(PAGE - position % PAGE);
            if read_shared(&*shared, position, most as usize, to)? {
                return Ok(most as usize);
            }
        }
        // The lock ends with this statement.
        let piece = content.pages.lock().piece(position);
        match piece {
            Piece::Page(page) => {
                let start = (position % PAGE) as usize;
                let end = (PAGE as usize).min(start.saturating_add(most as usize));
                to.put(page.get(start..end).ok_or(Errno::EIO)?)?;
                Ok(end - start)
            }
            Piece::Hole(end) => {
                let count = most.min(end.saturating_sub(position)) as usize;
                to.put_zeros(count)?;
                Ok(count)
            }
            Piece::Image(end) => {
                let below = self.below.as_ref().ok_or(Errno::EIO)?;
                let image = self.tree.image()?;
                let count = most.min(end - position) as usize;
                let chunk = match count >= STREAMED && position.is_multiple_of(PAGE) {
                    true => image.cached_chunk(below, position)?,
                    false => image.chunk(below, position)?,
                };
                let Some(chunk) = chunk else {
                    return self.stream(position, count, to);
                };
                let count = count.min(chunk.len());
                to.put(chunk.get(..count).ok_or(Errno::EIO)?)?;
                Ok(count)
            }
        }
    }

    /// Reads from the image past the cache of its blocks: it is much, and most likely not read again. Until it is verified,
    /// no program may see it, so it goes by way of a buffer.
    fn stream(&self, position: u64, count: usize, to: &mut dyn Sink) -> Result<usize> {
        let mut buffer = vec![0; STREAM_BUFFER.min(count)];
        self.read_image(position, &mut buffer)?;
        to.put(&buffer)?;
        Ok(buffer.len())
    }

    /// The file's pages that lie in programs' memory, if any do.
    pub(crate) fn shared(&self) -> Option<Arc<dyn SharedPages>> {
        let slot = &self.extra_if_made()?.shared_pages;
        slot.lock().as_ref()?.upgrade()
    }

    /// As [`kobject::Mapping::read_pages`].
    pub(crate) fn read_pages(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let content = self.content()?;
        let left = content.len().saturating_sub(offset);
        let of_file = left.min(out.len() as u64) as usize;
        let (file, behind) = out.split_at_mut_checked(of_file).ok_or(Errno::EIO)?;
        behind.fill(0);
        let mut done = 0;
        while done < of_file {
            let position = offset + done as u64;
            let rest = file.get_mut(done..).ok_or(Errno::EIO)?;
            let piece = content.pages.lock().piece(position);
            done += match piece {
                Piece::Page(page) => {
                    let start = (position % PAGE) as usize;
                    let count = (PAGE as usize - start).min(rest.len());
                    copy(rest, page.get(start..start + count).ok_or(Errno::EIO)?);
                    count
                }
                Piece::Hole(end) => {
                    let count = (rest.len() as u64).min(end - position) as usize;
                    rest.iter_mut().take(count).for_each(|byte| *byte = 0);
                    count
                }
                Piece::Image(end) => {
                    let count = (rest.len() as u64).min(end - position) as usize;
                    let part = rest.get_mut(..count).ok_or(Errno::EIO)?;
                    self.read_image(position, part)?;
                    count
                }
            };
        }
        Ok(of_file)
    }

    /// Fills `out` with what the image has there, all of which it must have.
    pub(super) fn read_image(&self, position: u64, out: &mut [u8]) -> Result<()> {
        let below = self.below.as_ref().ok_or(Errno::EIO)?;
        match self.tree.image()?.read(below, position, out)? == out.len() {
            true => Ok(()),
            false => Err(Errno::EIO),
        }
    }

    /// As [`kobject::Mapping::write_pages`]: not a system call's write, so neither lock nor times are its.
    pub(crate) fn write_pages(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let content = self.content()?;
        let mut position = offset;
        for part in bytes.chunks(PAGE as usize) {
            let count = content.len().saturating_sub(position).min(part.len() as u64) as usize;
            let Some(part) = part.get(..count).filter(|part| !part.is_empty()) else {
                break;
            };
            let fresh = self.fresh_page(position / PAGE, part.len())?;
            self.put_bytes(position, part, fresh, Grow::No)?;
            position += PAGE;
        }
        self.touch_modified();
        Ok(())
    }

    /// Writes from `offset`, or at the end; gives how much and the position behind it.
    pub(crate) fn write(&self, offset: u64, from: &mut dyn Source, append: bool) -> Result<(usize, u64)> {
        let content = self.content()?;
        let _writing = content.writing.lock();
        let start = if append { content.len() } else { offset };
        if from.left() == 0 {
            return Ok((0, start));
        }
        if start >= MAX_LEN {
            return Err(Errno::EFBIG);
        }
        let mut position = start;
        let result = loop {
            let room = MAX_LEN - position;
            let within = PAGE - position % PAGE;
            let count = (from.left() as u64).min(within).min(room) as usize;
            if count == 0 {
                break Ok(());
            }
            // As Linux, page by page: what lies before the end of a file that must not grow is written.
            let written = self
                .check_seals(position + count as u64)
                .and_then(|()| self.write_part(position, count, from));
            match written {
                Ok(()) => position += count as u64,
                Err(error) => break Err(error),
            }
        };
        let done = (position - start) as usize;
        if done == 0 {
            result?;
        }
        self.touch_modified();
        Ok((done, position))
    }

    /// Writes `count` bytes that lie in one page.
    fn write_part(&self, position: u64, count: usize, from: &mut dyn Source) -> Result<()> {
        let index = position / PAGE;
        let content = self.content()?;
        let shared = self.shared();
        let known = content.pages.lock().has(index);
        if !known && shared.is_none() {
            // Nobody else has this page yet, so the program's bytes go right into it.
            let mut page = self.page_below(index, count)?;
            let start = (position % PAGE) as usize;
            let own = Arc::make_mut(&mut page);
            from.take(own.get_mut(start..start + count).ok_or(Errno::EIO)?)?;
            let part = position..position + count as u64;
            return self.put_page(part, page);
        }
        if count <= 256 {
            let mut bytes = [0; 256];
            let bytes = bytes.get_mut(..count).ok_or(Errno::EIO)?;
            return self.write_buffered(position, bytes, from, shared.as_deref());
        }
        let mut bytes: Page = [0; PAGE as usize];
        let bytes = bytes.get_mut(..count).ok_or(Errno::EIO)?;
        self.write_buffered(position, bytes, from, shared.as_deref())
    }

    /// Writes by way of a buffer, because somebody else has the page.
    fn write_buffered(
        &self,
        position: u64,
        bytes: &mut [u8],
        from: &mut dyn Source,
        shared: Option<&dyn SharedPages>,
    ) -> Result<()> {
        from.take(bytes)?;
        let mut put = || {
            if self.overwrite(position, bytes)? {
                return Ok(());
            }
            let fresh = self.fresh_page(position / PAGE, bytes.len())?;
            self.put_bytes(position, bytes, fresh, Grow::Yes)
        };
        match shared {
            Some(shared) => shared.write(position, bytes, &mut put),
            None => put(),
        }
    }

    /// Writes into a page that is there; whether it is.
    fn overwrite(&self, position: u64, bytes: &[u8]) -> Result<bool> {
        let content = self.content()?;
        let mut pages = content.pages.lock();
        let Some(page) = pages.page_mut(position / PAGE) else {
            return Ok(false);
        };
        let start = (position % PAGE) as usize;
        copy(page.get_mut(start..).ok_or(Errno::EIO)?, bytes);
        content
            .len
            .fetch_max(position + bytes.len() as u64, Ordering::AcqRel);
        Ok(true)
    }

    /// A page with what the image has there, for a write of `count` bytes: all of it is written if that is a page.
    fn page_below(&self, index: u64, count: usize) -> Result<Arc<Page>> {
        let mut page = zero_page();
        let start = index * PAGE;
        let (shows, is_hole) = {
            let pages = self.content()?.pages.lock();
            (
                pages.image().saturating_sub(start).min(PAGE),
                matches!(pages.piece(start), Piece::Hole(_)),
            )
        };
        if shows > 0 && !is_hole && count < PAGE as usize {
            let own = Arc::make_mut(&mut page);
            self.read_image(start, own.get_mut(..shows as usize).ok_or(Errno::EIO)?)?;
        }
        Ok(page)
    }

    /// A page to put where none is, if none is.
    pub(super) fn fresh_page(&self, index: u64, count: usize) -> Result<Option<Arc<Page>>> {
        let known = self.content()?.pages.lock().has(index);
        if known {
            Ok(None)
        } else {
            self.page_below(index, count).map(Some)
        }
    }

    /// Puts bytes into one page.
    pub(super) fn put_bytes(
        &self,
        position: u64,
        bytes: &[u8],
        fresh: Option<Arc<Page>>,
        grow: Grow,
    ) -> Result<()> {
        let content = self.content()?;
        let index = position / PAGE;
        let start = (position % PAGE) as usize;
        let mut pages = content.pages.lock();
        if !pages.has(index) {
            let page = match fresh {
                Some(page) => page,
                // Punched or cut off since the caller looked.
                None => zero_page(),
            };
            pages.put(index, page, &self.tree.budget)?;
        }
        let page = pages.page_mut(index).ok_or(Errno::EIO)?;
        copy(page.get_mut(start..).ok_or(Errno::EIO)?, bytes);
        if grow == Grow::Yes {
            content
                .len
                .fetch_max(position + bytes.len() as u64, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Takes in a page, of which `part` (positions) was just written.
    fn put_page(&self, part: Range<u64>, page: Arc<Page>) -> Result<()> {
        let content = self.content()?;
        let index = part.start / PAGE;
        let mut pages = content.pages.lock();
        match pages.page_mut(index) {
            // A shared mapping was written back meanwhile.
            Some(known) => {
                let range = (part.start % PAGE) as usize..(part.end - index * PAGE) as usize;
                let written = page.get(range.clone()).ok_or(Errno::EIO)?;
                copy(known.get_mut(range).ok_or(Errno::EIO)?, written);
            }
            None => pages.put(index, page, &self.tree.budget)?,
        }
        content.len.fetch_max(part.end, Ordering::AcqRel);
        Ok(())
    }

    /// Whether the contents are the image's.
    pub(crate) fn is_of_image(&self) -> bool {
        let (Some(below), Ok(content)) = (&self.below, self.content()) else {
            return false;
        };
        let pages = content.pages.lock();
        pages.is_untouched() && pages.image() == below.size && content.len() == below.size
    }

    /// EPERM if seals forbid to write as far as `end`.
    fn check_seals(&self, end: u64) -> Result<()> {
        let seals = self.seals();
        if seals.intersects(Seals::F_SEAL_WRITE | Seals::F_SEAL_FUTURE_WRITE)
            || (seals.contains(Seals::F_SEAL_GROW) && end > self.content()?.len())
        {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}

/// Reads what lies within one page from where it is mapped; whether it is.
#[inline(never)]
fn read_shared(shared: &dyn SharedPages, position: u64, count: usize, to: &mut dyn Sink) -> Result<bool> {
    let mut bytes: Page = [0; PAGE as usize];
    let part = bytes.get_mut(..count).ok_or(Errno::EIO)?;
    if !shared.read(position, part)? {
        return Ok(false);
    }
    to.put(part)?;
    Ok(true)
}

/// Whether a write makes the file longer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grow {
    Yes,
    No,
}

/// Copies as much as fits.
fn copy(to: &mut [u8], from: &[u8]) {
    let count = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
        to.copy_from_slice(from);
    }
}
