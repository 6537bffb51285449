//! Brings the pages of a mapping into being.

use alloc::vec;

use enclave_layout::PAGE_SIZE;
use enclave_rt::user;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Result};

use crate::mapping::{Backing, MappingEntry};
use crate::pages::{self, PageState};

/// How much of an anonymous mapping a first touch brings.
const ANONYMOUS_WINDOW: u64 = 512 * 1024;
/// How much of a file a first touch brings.
const FILE_WINDOW: u64 = 64 * 1024;

/// Brings the absent pages of `range`, which lies in the mapping.
pub(crate) fn populate(mapping: &MappingEntry, range: PageRange) -> Result<()> {
    let mut absent: Option<(u64, u64)> = None;
    for page in range.pages().chain([range.end()]) {
        let is_absent = page < range.end() && pages::state(page).protection().is_none();
        match (&mut absent, is_absent) {
            (Some((_, end)), true) => *end = page + PAGE_SIZE,
            (None, true) => absent = Some((page, page + PAGE_SIZE)),
            (Some((start, end)), false) => {
                let run = PageRange::new(*start, *end - *start).ok_or(Errno::EINVAL)?;
                populate_run(mapping, run)?;
                absent = None;
            }
            (None, false) => {}
        }
    }
    Ok(())
}

fn populate_run(mapping: &MappingEntry, run: PageRange) -> Result<()> {
    match &mapping.backing {
        Backing::Anonymous => pages::commit_zeroed(run)?,
        Backing::File(file, offset) => {
            let first = offset + (run.start() - mapping.range.start());
            pages::commit_zeroed(run)?;
            let mut bytes = vec![0; run.len().min(FILE_WINDOW) as usize];
            for at in (0..run.len()).step_by(FILE_WINDOW as usize) {
                let part = (run.len() - at).min(FILE_WINDOW) as usize;
                let bytes = bytes.get_mut(..part).ok_or(Errno::EIO)?;
                let mut read = file
                    .read_pages(first + at, bytes)
                    .inspect_err(|_| pages::discard(run))?;
                if let Some(patches) = &mapping.patches
                    && patches.apply(first + at, bytes).is_err()
                {
                    read = file
                        .read_pages(first + at, bytes)
                        .inspect_err(|_| pages::discard(run))?;
                }
                user::write(run.start() + at, &bytes[..read])?;
            }
        }
    }
    if mapping.protection != Protection::READ_WRITE {
        pages::protect(run, mapping.protection)?;
    }
    Ok(())
}

/// What a first touch at `address` brings of a mapping.
pub(crate) fn window(mapping: &MappingEntry, address: u64) -> Option<PageRange> {
    let size = match mapping.backing {
        Backing::Anonymous => ANONYMOUS_WINDOW,
        Backing::File(..) => FILE_WINDOW,
    };
    let start = (address & !(size - 1)).max(mapping.range.start());
    let end = ((address & !(size - 1)) + size).min(mapping.range.end());
    PageRange::new(start, end.checked_sub(start)?)
}

/// Whether the page at `address` lies wholly behind the end of the mapped file.
pub(crate) fn is_beyond_file(mapping: &MappingEntry, address: u64) -> bool {
    match &mapping.backing {
        Backing::Anonymous => false,
        Backing::File(file, offset) => {
            let at = offset + ((address & !(PAGE_SIZE - 1)) - mapping.range.start());
            at >= file.len()
        }
    }
}

/// Whether the page at `address` is there and allows this.
pub(crate) fn is_present(address: u64, wanted: Protection) -> bool {
    let state: PageState = pages::state(address & !(PAGE_SIZE - 1));
    state
        .protection()
        .is_some_and(|protection| protection.contains(wanted))
}
