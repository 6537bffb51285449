//! The programs and libraries of an image, with what the converter would find in them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context, Result};
use callsites::Counts;
use oci_image::{Content, InodeId, Kind, Tree};
use printable_text::printable;

use super::elf::{self, Elf, Read};

/// A program or library.
pub(super) struct ImageFile {
    /// Its first name, for people.
    pub(super) path: String,
    pub(super) read: Read,
    /// The system calls in it.
    pub(super) counts: Counts,
    /// Their numbers, where its code says them.
    pub(super) numbers: BTreeSet<u32>,
}

impl ImageFile {
    /// What it says of itself, if it is for this machine.
    pub(super) fn elf(&self) -> Option<&Elf> {
        match &self.read {
            Read::Elf(elf) => Some(elf),
            _ => None,
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct ImageFiles {
    /// By inode, so that a file with several names is one.
    pub(super) files: BTreeMap<InodeId, ImageFile>,
    /// What each file name of the image is, wherever it lies, links followed.
    names: BTreeMap<Vec<u8>, InodeId>,
}

impl ImageFiles {
    /// Reads and scans the whole tree.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub(super) fn read(tree: &Tree) -> Result<Self> {
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        let mut directories = vec![(InodeId::ROOT, Vec::new())];
        while let Some((directory, path)) = directories.pop() {
            let Kind::Directory(entries) = &tree.inode(directory).kind else {
                continue;
            };
            for (name, id) in entries {
                let path = [&path[..], b"/", name].concat();
                match &tree.inode(*id).kind {
                    Kind::Directory(_) => directories.push((*id, path)),
                    Kind::Symlink(_) => {
                        if let Ok(Some(target)) = tree.follow(&path) {
                            found.names.entry(name.clone()).or_insert(target);
                        }
                    }
                    Kind::File(content) => {
                        found.names.entry(name.clone()).or_insert(*id);
                        if seen.insert(*id) {
                            found.add(tree, *id, &path, content)?;
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    fn add(&mut self, tree: &Tree, id: InodeId, path: &[u8], content: &Content) -> Result<()> {
        let path = printable(&String::from_utf8_lossy(path));
        let Some(bytes) = read_program(tree, content).context("cannot read a temporary file")? else {
            return Ok(());
        };
        let read = elf::read(&bytes);
        if read == Read::Other {
            return Ok(());
        }
        let report = callsites::scan(&bytes).unwrap_or_default();
        let file = ImageFile {
            path,
            read,
            counts: report.counts,
            numbers: report.numbers,
        };
        self.files.insert(id, file);
        Ok(())
    }

    /// What a library's name is, if a file of the image has it. Search paths are not looked at.
    pub(super) fn named(&self, name: &[u8]) -> Option<InodeId> {
        let base = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
        self.names.get(base).copied()
    }

    /// A program, its interpreter, and all libraries that they are linked with.
    pub(super) fn linked_with(&self, tree: &Tree, program: InodeId) -> BTreeSet<InodeId> {
        let mut found = BTreeSet::from([program]);
        let mut pending = VecDeque::from([program]);
        while let Some(elf) = pending
            .pop_front()
            .map(|id| self.files.get(&id).and_then(ImageFile::elf))
        {
            let Some(elf) = elf else { continue };
            let interpreter = elf.interpreter.as_ref();
            let interpreter = interpreter.and_then(|path| tree.follow(path).ok().flatten());
            let libraries = elf.needed.iter().filter_map(|name| self.named(name));
            for id in interpreter.into_iter().chain(libraries) {
                if found.insert(id) {
                    pending.push_back(id);
                }
            }
        }
        found
    }
}

/// The bytes of a file that begins as an ELF file does, if it is not longer than the scanner takes.
fn read_program(tree: &Tree, content: &Content) -> std::io::Result<Option<Vec<u8>>> {
    const MAGIC: &[u8] = b"\x7fELF";
    let mut magic = [0; MAGIC.len()];
    let read = tree.read_at(content, 0, &mut magic)?;
    let len = u32::try_from(content.len()).ok();
    let Some(len) = len.filter(|_| magic.get(..read) == Some(MAGIC)) else {
        return Ok(None);
    };
    let mut bytes = vec![0; len as usize];
    let read = tree.read_at(content, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}
