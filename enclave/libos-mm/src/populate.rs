//! Brings the pages of a mapping into being.

use enclave_layout::PAGE_SIZE;
use enclave_rt::memory::PageBuffer;
use host_abi::{PageRange, Protection};
use kobject::{Mapping, Result};

use crate::arena::{Account, Arena};
use crate::call_sites::Patches;
use crate::mapping::{Content, MappingEntry};
use crate::shared::SharedFile;

/// How much of an anonymous mapping a first touch brings at least: what is brought for nothing is memory, and copied by a fork.
const MIN_WINDOW: u64 = 32 * 1024;
/// How much a touch brings at most, when one window after the other is touched.
const MAX_WINDOW: u64 = 512 * 1024;
/// How much of a file a first touch brings, and how much is read at once.
pub(crate) const FILE_WINDOW: u64 = 32 * 1024;

/// Brings the pages of `range`, which lies in the mapping, that are not in use and not behind the end of the file. `wanted` is the page
/// that was touched, if one was.
pub(crate) fn populate(
    arena: &Arena,
    account: &mut Account,
    mapping: &MappingEntry,
    range: PageRange,
    wanted: Option<u64>,
) -> Result<()> {
    let Some(range) = mapping.within_file(range) else {
        return Ok(());
    };
    match &mapping.content {
        Content::Zeros => {
            arena.commit_zeroed(range, account)?;
            if mapping.protection != Protection::READ_WRITE {
                arena.protect(range, mapping.protection)?;
            }
            Ok(())
        }
        Content::Private { file, patches, .. } => {
            let absent = arena
                .runs(range)
                .filter(|(_, state)| state.protection().is_none());
            for (run, _) in absent {
                for part in parts(run) {
                    let offset = mapping.offset_of(part.start());
                    let bytes = read(file.as_ref(), patches.as_deref(), offset, part)?;
                    arena.commit_filled(part, &bytes, mapping.protection, account)?;
                }
            }
            Ok(())
        }
        Content::Shared { file, .. } => {
            for part in parts(range) {
                file.bring(part, mapping.offset_of(part.start()), mapping.protection, wanted)?;
            }
            Ok(())
        }
    }
}

/// What a private mapping shows of a file.
fn read(file: &dyn Mapping, patches: Option<&Patches>, offset: u64, part: PageRange) -> Result<PageBuffer> {
    let mut bytes = PageBuffer::new(part.len());
    read_current(file, offset, &mut bytes)?;
    if let Some(patches) = patches
        && patches.apply(offset, &mut bytes).is_err()
    {
        // The file was written since it was mapped. What it has there now is not what was measured, so its sites trap.
        read_current(file, offset, &mut bytes)?;
    }
    Ok(bytes)
}

fn read_current(file: &dyn Mapping, offset: u64, bytes: &mut [u8]) -> Result<()> {
    file.read_pages(offset, bytes)?;
    if let Some(shared) = SharedFile::existing(file) {
        shared.show(offset, bytes)?;
    }
    Ok(())
}

/// Cuts a range into what is read at once.
fn parts(range: PageRange) -> impl Iterator<Item = PageRange> {
    let starts = (range.start()..range.end()).step_by(FILE_WINDOW as usize);
    starts.filter_map(move |start| PageRange::new(start, FILE_WINDOW.min(range.end() - start)))
}

/// What a touch at `address` brings of a mapping. `last` is what the touch before it has brought: windows grow while one follows the
/// other, upwards or downwards.
pub(crate) fn window(mapping: &MappingEntry, address: u64, last: Option<PageRange>) -> Option<PageRange> {
    let follows = |last: PageRange| address == last.end() || address + PAGE_SIZE == last.start();
    let size = match (&mapping.content, last) {
        (Content::Zeros, Some(last)) if follows(last) => {
            (last.len() * 2).next_power_of_two().clamp(MIN_WINDOW, MAX_WINDOW)
        }
        (Content::Zeros, _) => MIN_WINDOW,
        _ => FILE_WINDOW,
    };
    let start = address & !(size - 1);
    let window = PageRange::new(start, size)?;
    mapping.part(window).map(|part| part.range)
}
