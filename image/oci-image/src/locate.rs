//! Finds the files of an image that this crate wrote, without reading their contents.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::compression::Compression;
use crate::source::{ImageSource, StoredIn};
use crate::tar::{EntryKind, Reader, TarError};

/// A file of an image's layer, as a range of a file on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedFile {
    /// From the root of the image, without a leading slash.
    pub path_in_layer: PathBuf,
    /// The archive, or the layer's blob in a layout directory.
    pub file: PathBuf,
    /// Where the content begins in `file`, in bytes. A multiple of 4096 in what this crate wrote, but other tools
    /// may have moved it since.
    pub offset: u64,
    /// Bytes of the content.
    pub len: u64,
}

/// An image whose files are not ranges of a file.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// Several layers, or none.
    #[error("the image has {0} layers instead of one: nacre convert did not write it")]
    Layers(usize),
    /// A compressed layer.
    #[error(
        "the image's layer is compressed, as registries and skopeo do; unpack it: skopeo copy IMAGE docker-archive:FILE:NAME:TAG"
    )]
    CompressedLayer,
    /// A compressed archive.
    #[error("the archive is compressed; decompress it first")]
    CompressedArchive,
    /// The layer holds more than plain files.
    #[error("nacre convert did not write the image's layer")]
    Foreign,
    /// The layer is malformed.
    #[error(transparent)]
    Tar(#[from] TarError),
}

/// More entries than we ever write: looking further would cost time that grows with the image.
const MAX_ENTRIES: usize = 256;

impl ImageSource {
    /// The files of the image's only layer. Reads headers only, so the time does not grow with the files; nothing is
    /// verified.
    pub fn locate(&self) -> Result<Vec<LocatedFile>, LocateError> {
        let [layer] = self.layers() else {
            return Err(LocateError::Layers(self.layers().len()));
        };
        if layer.compression() != Compression::None {
            return Err(LocateError::CompressedLayer);
        }
        if self.stored_in() == StoredIn::TemporaryFile {
            return Err(LocateError::CompressedArchive);
        }
        let blob = &layer.blob;
        let mut reader = Reader::new(blob.reader());
        let mut files = Vec::new();
        for _ in 0..MAX_ENTRIES {
            let Some(entry) = reader.next_entry()? else {
                return Ok(files);
            };
            match entry.kind {
                EntryKind::Directory => {}
                EntryKind::File(file) if file.extents.is_none() => {
                    let content = blob
                        .slice(file.offset, file.len)
                        .ok_or(TarError::Truncated(file.offset))?;
                    files.push(LocatedFile {
                        path_in_layer: OsStr::from_bytes(&entry.path).into(),
                        file: content.path().to_owned(),
                        offset: content.offset(),
                        len: content.len(),
                    });
                }
                _ => return Err(LocateError::Foreign),
            }
        }
        Err(LocateError::Foreign)
    }
}
