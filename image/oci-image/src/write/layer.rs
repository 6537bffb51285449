//! The layer: a tar archive whose contents begin at page boundaries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{LayerFile, WriteError};
use crate::digest::{Digest, Hasher};
use crate::sparse_file;
use crate::tar::emit;

/// Bytes that are read, hashed and written at a time.
const CHUNK_LEN: usize = 1 << 20;

pub(super) struct WrittenLayer {
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) len: u64,
}

/// Writes the layer at `offset` of `target` and computes its digest on the way. `path` names the target in errors.
pub(super) fn write(
    files: Vec<LayerFile<'_>>,
    target: &File,
    offset: u64,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<WrittenLayer, WriteError> {
    let mut sorted = BTreeMap::new();
    for file in files {
        check_path(&file.path)?;
        if let Some(twice) = sorted.insert(file.path.clone(), file) {
            return Err(WriteError::BadPath(twice.path));
        }
    }
    let mut directories = BTreeSet::new();
    for name in sorted.keys() {
        directories.extend(name.match_indices('/').filter_map(|(end, _)| name.get(..end)));
    }
    if let Some(both) = directories.iter().find(|name| sorted.contains_key(**name)) {
        return Err(WriteError::BadPath(both.to_string()));
    }

    let mut sink = Sink {
        target,
        path,
        offset,
        len: 0,
        hasher: Hasher::default(),
        progress,
    };
    for directory in &directories {
        sink.write(&emit::directory(&format!("{directory}/"), 0o755)?)?;
    }
    let mut chunk = vec![0; CHUNK_LEN];
    for (path, file) in sorted {
        sink.write(&emit::aligned_file(&path, file.mode, file.len, sink.len)?)?;
        copy(file, &mut sink, &mut chunk)?;
    }
    sink.write(&emit::END)?;
    // It ends with zeros, which are left out.
    target
        .set_len(offset + sink.len)
        .map_err(WriteError::target(path))?;
    Ok(WrittenLayer {
        digest: sink.hasher.finish(),
        len: sink.len,
    })
}

fn copy(file: LayerFile<'_>, sink: &mut Sink<'_>, chunk: &mut [u8]) -> Result<(), WriteError> {
    let LayerFile {
        path,
        len,
        mut content,
        mode: _,
    } = file;
    let mut copied = 0;
    loop {
        let count = match content.read(chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(WriteError::Content { path, error }),
        };
        copied += count as u64;
        if copied > len {
            break;
        }
        sink.write(chunk.get(..count).unwrap_or_default())?;
    }
    if copied != len {
        return Err(WriteError::ContentLength { path, len });
    }
    sink.write(emit::content_padding(len))
}

/// A plain relative path that no reader could take for something else.
fn check_path(path: &str) -> Result<(), WriteError> {
    let is_plain = |name: &str| {
        !matches!(name, "" | "." | "..") && !name.starts_with(".wh.") && !name.contains(['\0', '\\'])
    };
    if path.split('/').all(is_plain) {
        Ok(())
    } else {
        Err(WriteError::BadPath(path.to_owned()))
    }
}

/// Appends to the layer.
struct Sink<'a> {
    target: &'a File,
    path: &'a Path,
    /// Where the layer begins in the target.
    offset: u64,
    /// Bytes of the layer so far.
    len: u64,
    hasher: Hasher,
    progress: &'a mut dyn FnMut(u64),
}

impl Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.hasher.update(bytes);
        sparse_file::write_at(self.target, bytes, self.offset + self.len)
            .map_err(WriteError::target(self.path))?;
        self.len += bytes.len() as u64;
        (self.progress)(self.len);
        Ok(())
    }
}
