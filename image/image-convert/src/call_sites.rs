//! Call-site maps for every program and library of an image.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::{fmt, thread};

use callsites::Counts;
use oci_image::{Content, Kind, Tree};

use crate::call_site_cache::{CallSiteCache, Key, Known};
use crate::{ConvertError, Progress, Stage};

/// How many of an image's system calls are replaced by jumps. The others trap: slower, and just as correct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Programs and libraries that have system calls.
    pub files: u64,
    /// Files that had to be looked at: programs, libraries, and what looks like one.
    pub scanned: u64,
    /// How many of them were known from an earlier conversion.
    pub reused: u64,
    /// What was found in them.
    pub counts: Counts,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            trapping, unproven, ..
        } = self.counts;
        let (patched, sites) = (self.counts.patched(), self.counts.sites());
        // Rounded down, so that only all of them are 100 %.
        let percent = (patched * 1000).checked_div(sites).unwrap_or(1000);
        write!(
            f,
            "{patched} of {sites} replaced ({}.{} %) in {} files, {trapping} trap, {unproven} left alone in data that look like one",
            percent / 10,
            percent % 10,
            self.files
        )?;
        match self.reused {
            0 => Ok(()),
            reused => write!(f, "; {reused} of {} files were known", self.scanned),
        }
    }
}

/// Scans all files of the tree, several at a time. The blob holds a map for each file that has something to replace; it is
/// the same with a cache and without.
pub(crate) fn find(
    tree: &Tree,
    layout: &rootfs_image::Layout,
    cache: Option<&CallSiteCache>,
    progress: &mut dyn Progress,
) -> Result<(Vec<u8>, Coverage), ConvertError> {
    // Linux asks for no permission to execute a library, so every file may be one.
    let files: Vec<(usize, &Content)> = tree
        .inodes()
        .iter()
        .enumerate()
        .filter_map(|(id, inode)| match &inode.kind {
            Kind::File(content) => Some((id, content)),
            _ => None,
        })
        .collect();
    progress.begin(
        Stage::CallSites,
        files.iter().map(|(_, content)| content.len()).sum(),
    );

    let (mut maps, mut coverage, mut position) = (BTreeMap::new(), Coverage::default(), 0);
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_WORKERS);
    thread::scope(|scope| {
        let (sender, found) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next, files) = (sender.clone(), &next, &files);
            scope.spawn(move || {
                // One buffer, which grows to the longest program.
                let mut bytes = Vec::new();
                while let Some((id, content)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = look(tree, content, cache, &mut bytes);
                    // After an error nobody listens any more.
                    if sender.send((*id, content.len(), found)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (id, len, looked) in found {
            if let Some(Looked { known, is_reused }) = looked? {
                coverage.scanned += 1;
                coverage.reused += u64::from(is_reused);
                if let Known::Program(counts, map) = known {
                    coverage.counts += counts;
                    coverage.files += u64::from(counts.sites() + counts.unproven > 0);
                    if let (Some(nid), Some(map)) = (layout.nid(id), map) {
                        maps.insert(nid.0, map);
                    }
                }
            }
            position += len;
            progress.at(position);
        }
        Ok::<(), ConvertError>(())
    })?;
    if let Some(cache) = cache {
        cache.forget_old();
    }
    Ok((callsite_map::encode_container(&maps)?, coverage))
}

/// More would wait for memory: each holds a whole program.
const MOST_WORKERS: usize = 4;

struct Looked {
    known: Known,
    is_reused: bool,
}

/// What is in a file; nothing if it does not even begin as a program.
fn look(
    tree: &Tree,
    content: &Content,
    cache: Option<&CallSiteCache>,
    bytes: &mut Vec<u8>,
) -> Result<Option<Looked>, ConvertError> {
    if !read_program(tree, content, bytes)? {
        return Ok(None);
    }
    let entry = cache.map(|cache| (cache, Key::of(bytes)));
    if let Some(known) = entry.and_then(|(cache, key)| cache.load(key)) {
        return Ok(Some(Looked {
            known,
            is_reused: true,
        }));
    }
    let known = match callsites::scan(bytes) {
        None => Known::NoProgram,
        Some(report) if report.sites.is_empty() => Known::Program(report.counts, None),
        Some(report) => Known::Program(report.counts, Some(callsite_map::encode_file(&report.sites)?)),
    };
    if let Some((cache, key)) = entry {
        cache.store(key, &known);
    }
    Ok(Some(Looked {
        known,
        is_reused: false,
    }))
}

/// Reads a file that begins as an ELF file does; `false` for any other.
fn read_program(tree: &Tree, content: &Content, bytes: &mut Vec<u8>) -> Result<bool, ConvertError> {
    const MAGIC: &[u8] = b"\x7fELF";
    let mut magic = [0; MAGIC.len()];
    let read = tree
        .read_at(content, 0, &mut magic)
        .map_err(ConvertError::ReadSpool)?;
    // The scanner takes no file of 4 GiB or more.
    let Some(len) = u32::try_from(content.len())
        .ok()
        .filter(|_| magic.get(..read) == Some(MAGIC))
    else {
        return Ok(false);
    };
    bytes.resize(len as usize, 0);
    let read = tree.read_at(content, 0, bytes).map_err(ConvertError::ReadSpool)?;
    bytes.truncate(read);
    Ok(true)
}
