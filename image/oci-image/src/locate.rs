//! Finds files of an image as ranges of files on this machine, without reading their contents.
//!
//! The files are those that a container of the image sees: layers that other tools put on top count, and so do
//! whiteouts and symbolic links in them.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compression::Compression;
use crate::layer::Layer;
use crate::source::ImageSource;
use crate::tree::{self, Inode, InodeId, Kind, Limit, Place, TreeError};
use crate::unpacked::{self, UnpackError};

/// A file of an image, as a range of a file on this machine.
#[derive(Clone, Debug)]
pub struct LocatedFile {
    /// The open file, which is there even if its name is not any more.
    pub open: Arc<File>,
    /// Its name, for messages: the archive, the layer's blob in a layout directory, or an unpacked layer.
    pub file: PathBuf,
    /// Where the content begins in `file`, in bytes. A multiple of 4096 in what this crate wrote, but other tools
    /// may have moved it since.
    pub offset: u64,
    /// Bytes of the content.
    pub len: u64,
    /// How the layer is stored in the image. If it is compressed, `file` is an unpacked copy.
    pub compression: Compression,
}

/// What was found in an image.
#[derive(Debug)]
pub struct Located {
    /// A file for each path that was asked for, `None` if the image has no regular file there.
    pub files: Vec<Option<LocatedFile>>,
    /// Everything else in the image that is not a directory, sorted: paths without a leading slash.
    pub others: Vec<PathBuf>,
}

/// An image whose files cannot be located.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// A compressed layer cannot be unpacked.
    #[error("layer {number}: {error}")]
    Unpack {
        /// The layer's number, from 1 on.
        number: usize,
        /// The reason.
        error: UnpackError,
    },
    /// A layer is malformed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Symbolic links to symbolic links …
    #[error("/{0}: {1}")]
    Links(String, Limit),
    /// A sparse file is in pieces.
    #[error("/{0} is stored as a sparse file, which cannot be mapped: copy the image with skopeo or podman")]
    Sparse(String),
}

impl ImageSource {
    /// Finds the files at `paths` (without a leading slash). Reads headers only where a layer is not compressed, so
    /// the time does not grow with the files; nothing is verified there.
    ///
    /// Compressed layers are unpacked and verified first, once if there is a directory to keep them in (`kept_in`), and
    /// otherwise into a temporary file without a name. `progress` is told how many of [`ImageSource::layers_len`] bytes
    /// were dealt with.
    pub fn locate(
        &self,
        paths: &[&str],
        kept_in: Option<&Path>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Located, LocateError> {
        let mut layers = Vec::new();
        let mut before = 0;
        for (index, layer) in self.layers().iter().enumerate() {
            let blob = unpacked::plain(layer, kept_in, &mut |at| progress(before + at)).map_err(|error| {
                LocateError::Unpack {
                    number: index + 1,
                    error,
                }
            })?;
            layers.push(blob);
            before += layer.size();
            progress(before);
        }
        let inodes = tree::places(&layers)?;
        let mut found = Vec::new();
        let mut files = Vec::new();
        for path in paths {
            let id = tree::follow(&inodes, path.as_bytes())
                .map_err(|limit| LocateError::Links((*path).to_owned(), limit))?;
            found.extend(id);
            let kind = id.and_then(|id| inodes.get(id.index())).map(|inode| &inode.kind);
            let Some(Kind::File(place)) = kind else {
                files.push(None);
                continue;
            };
            if !place.is_whole {
                return Err(LocateError::Sparse((*path).to_owned()));
            }
            let Place {
                layer, offset, len, ..
            } = *place;
            // The layer was read to its end, so the range is in it.
            let content = layers.get(layer).and_then(|layer| layer.slice(offset, len));
            let compression = self.layers().get(layer).map(Layer::compression);
            files.push(
                Option::zip(content, compression).map(|(content, compression)| LocatedFile {
                    open: content.file(),
                    file: content.path().to_owned(),
                    offset: content.offset(),
                    len,
                    compression,
                }),
            );
        }
        Ok(Located {
            files,
            others: others(&inodes, &found),
        })
    }
}

/// The paths of all inodes that are neither directories nor among those that were `found`.
fn others<C>(inodes: &[Inode<C>], found: &[InodeId]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut pending = vec![(PathBuf::new(), InodeId::ROOT)];
    while let Some((path, id)) = pending.pop() {
        match inodes.get(id.index()).map(|inode| &inode.kind) {
            Some(Kind::Directory(entries)) => pending.extend(
                entries
                    .iter()
                    .map(|(name, &id)| (path.join(OsStr::from_bytes(name)), id)),
            ),
            Some(_) if !found.contains(&id) => paths.push(path),
            _ => {}
        }
    }
    paths.sort();
    paths
}
