//! Call-site maps for every program and library of an image.

use std::collections::BTreeMap;
use std::fmt;

use callsites::Counts;
use oci_image::{Kind, Tree};

use crate::{ConvertError, Progress, Stage};

/// How many of an image's system calls are replaced by jumps. The others trap: slower, and just as correct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Programs and libraries that have system calls.
    pub files: u64,
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
        )
    }
}

/// Scans all files of the tree. The blob holds a map for each file that has something to replace.
pub(crate) fn find(
    tree: &Tree,
    layout: &rootfs_image::Layout,
    progress: &mut dyn Progress,
) -> Result<(Vec<u8>, Coverage), ConvertError> {
    let files = || {
        tree.inodes()
            .iter()
            .enumerate()
            .filter_map(|(id, inode)| match &inode.kind {
                Kind::File(content) => Some((id, content)),
                _ => None,
            })
    };
    progress.begin(Stage::CallSites, files().map(|(_, content)| content.len()).sum());

    let (mut maps, mut coverage, mut position) = (BTreeMap::new(), Coverage::default(), 0);
    // One buffer, which grows to the longest program.
    let mut bytes = Vec::new();
    for (id, content) in files() {
        // Linux asks for no permission to execute a library, so every file may be one.
        if read_program(tree, content, &mut bytes)?
            && let Some(report) = callsites::scan(&bytes)
        {
            coverage.counts += report.counts;
            coverage.files += u64::from(report.counts.sites() + report.counts.unproven > 0);
            if let (Some(nid), false) = (layout.nid(id), report.sites.is_empty()) {
                maps.insert(nid.0, callsite_map::encode_file(&report.sites)?);
            }
        }
        position += content.len();
        progress.at(position);
    }
    Ok((callsite_map::encode_container(&maps)?, coverage))
}

/// Reads a file that begins as an ELF file does; `false` for any other.
fn read_program(
    tree: &Tree,
    content: &oci_image::Content,
    bytes: &mut Vec<u8>,
) -> Result<bool, ConvertError> {
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
