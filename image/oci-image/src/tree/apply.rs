//! Reads the layers of an image into a tree.

use std::io;
use std::path::{Path, PathBuf};

use super::build::{Builder, EntryError, Leaf, Meta, Object};
use super::limits::{Limit, Limits};
use super::path::{Subject, subject};
use super::spool::{Content, SpoolError, SpoolWriter};
use super::{Inode, Tree};
use crate::blob::Blob;
use crate::layer::{Layer, LayerError};
use crate::source::ImageSource;
use crate::tar::{Entry, EntryKind, FileEntry, Input, Reader, Stream, TarError};

/// Layers that cannot be applied. Layers are counted from 1, lowest first.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The temporary file for contents cannot be created or written.
    #[error(
        "cannot write a temporary file in {} (set TMPDIR to a directory with room for the image): {error}",
        dir.display()
    )]
    Spool {
        /// Where the file is.
        dir: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The layer cannot be read, or is not what its digest promised.
    #[error("layer {number}: {error}")]
    Layer {
        /// The layer's number, from 1 on.
        number: usize,
        /// The reason.
        error: LayerError,
    },
    /// The layer is not a tar archive, or a malformed one.
    #[error("layer {number}: {error}")]
    Tar {
        /// The layer's number, from 1 on.
        number: usize,
        /// The reason.
        error: TarError,
    },
    /// A directory that the configuration names is something else.
    #[error("{path:?}, a volume or the working directory of the image, cannot be a directory: {error}")]
    Directory {
        /// The directory.
        path: String,
        /// The reason.
        error: EntryError,
    },
    /// The layer has an entry that cannot be applied.
    #[error("layer {number}: {path:?} cannot be applied: {error}")]
    Entry {
        /// The layer's number, from 1 on.
        number: usize,
        /// The entry's path; bytes that are not ASCII are escaped.
        path: String,
        /// The reason.
        error: EntryError,
    },
}

pub(super) fn layers(
    image: &ImageSource,
    spool_dir: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(u64),
) -> Result<Tree, TreeError> {
    let spool_failed = |error| TreeError::Spool {
        dir: spool_dir.to_owned(),
        error,
    };
    let spool = SpoolWriter::create(spool_dir, limits.content_len).map_err(spool_failed)?;
    let mut applier = Applier {
        builder: Builder::new(limits),
        contents: spool,
    };
    let mut read_before = 0;
    for (index, layer) in image.layers().iter().enumerate() {
        applier
            .layer(layer, limits, &mut |position| progress(read_before + position))
            .map_err(|error| error.of_layer(index + 1, spool_dir))?;
        read_before += layer.size();
        progress(read_before);
    }
    // Container engines make these when a container starts.
    let config = &image.config().config;
    applier.builder.begin_layer();
    for path in config.volumes.keys().chain([&config.working_dir]) {
        applier
            .builder
            .ensure_directory(path.as_bytes())
            .map_err(|error| TreeError::Directory {
                path: path.clone(),
                error,
            })?;
    }
    let spool = applier.contents.finish().map_err(spool_failed)?;
    Ok(Tree {
        inodes: applier.builder.finish(),
        spool,
    })
}

/// Where a file's content lies in a layer that is not compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The layer's index, counted from 0.
    pub(crate) layer: usize,
    /// First byte of the content in the layer.
    pub(crate) offset: u64,
    /// Bytes of the file.
    pub(crate) len: u64,
    /// Whether all of the file is stored: a sparse file's holes are not.
    pub(crate) is_whole: bool,
}

/// The inodes that result from these layers, lowest first, which are not compressed. Reads headers only.
pub(crate) fn places(layers: &[Blob]) -> Result<Vec<Inode<Place>>, TreeError> {
    let limits = Limits::default();
    let mut applier = Applier {
        builder: Builder::new(&limits),
        contents: Places { layer: 0 },
    };
    for (index, layer) in layers.iter().enumerate() {
        applier.contents.layer = index;
        applier
            .entries(&mut Reader::new(layer.reader()), |_| ())
            .map_err(|error| error.of_layer(index + 1, Path::new("")))?;
    }
    Ok(applier.builder.finish())
}

/// An error without its layer.
enum ApplyError {
    Layer(LayerError),
    Tar(TarError),
    Entry(Vec<u8>, EntryError),
    Spool(io::Error),
}

impl ApplyError {
    fn of_layer(self, number: usize, spool_dir: &Path) -> TreeError {
        match self {
            Self::Layer(error) => TreeError::Layer { number, error },
            Self::Tar(error) => TreeError::Tar { number, error },
            Self::Entry(path, error) => TreeError::Entry {
                number,
                path: path.escape_ascii().to_string(),
                error,
            },
            Self::Spool(error) => TreeError::Spool {
                dir: spool_dir.to_owned(),
                error,
            },
        }
    }
}

/// What becomes of the contents of files.
trait Contents {
    type Content;

    /// Takes the content of the file that the reader has come to.
    fn take<I: Input>(
        &mut self,
        file: &FileEntry,
        reader: &mut Reader<I>,
    ) -> Result<Self::Content, SpoolError>;
}

/// They are copied into the spool.
impl Contents for SpoolWriter {
    type Content = Content;

    fn take<I: Input>(&mut self, file: &FileEntry, reader: &mut Reader<I>) -> Result<Content, SpoolError> {
        let content = self.begin(file.len)?;
        let Some(extents) = &file.extents else {
            self.append(reader, file.len)?;
            return Ok(content);
        };
        // The extents are in order and within the file: checked by the tar reader.
        let mut position = 0;
        for extent in extents {
            self.append_hole(extent.offset - position)?;
            self.append(reader, extent.len)?;
            position = extent.offset + extent.len;
        }
        self.append_hole(file.len - position)?;
        Ok(content)
    }
}

/// They stay where they are.
struct Places {
    layer: usize,
}

impl Contents for Places {
    type Content = Place;

    fn take<I: Input>(&mut self, file: &FileEntry, _: &mut Reader<I>) -> Result<Place, SpoolError> {
        Ok(Place {
            layer: self.layer,
            offset: file.offset,
            len: file.len,
            is_whole: file.extents.is_none(),
        })
    }
}

struct Applier<'a, C: Contents> {
    builder: Builder<'a, C::Content>,
    contents: C,
}

impl<C: Contents> Applier<'_, C> {
    fn layer(
        &mut self,
        layer: &Layer,
        limits: &Limits,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ApplyError> {
        let archive = layer.open(limits.content_len).map_err(ApplyError::Layer)?;
        let mut reader = Reader::new(Stream(archive));
        self.entries(&mut reader, |input| progress(input.0.blob_position()))?;
        let Stream(archive) = reader.into_input();
        archive.finish().map_err(|error| ApplyError::Layer(error.into()))
    }

    /// Applies all entries of one layer.
    fn entries<I: Input>(
        &mut self,
        reader: &mut Reader<I>,
        mut progress: impl FnMut(&mut I),
    ) -> Result<(), ApplyError> {
        self.builder.begin_layer();
        while let Some(entry) = reader.next_entry().map_err(ApplyError::Tar)? {
            self.entry(entry, reader)?;
            progress(reader.input_mut());
        }
        Ok(())
    }

    fn entry<I: Input>(&mut self, entry: Entry, reader: &mut Reader<I>) -> Result<(), ApplyError> {
        let Entry {
            path,
            kind,
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        } = entry;
        let failed = |error| ApplyError::Entry(path.clone(), error);
        let metadata_len = path.len()
            + xattrs
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
        self.builder.count(metadata_len).map_err(failed)?;
        let meta = Meta {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        };
        let subject = subject(&path).map_err(failed)?;
        let done = match subject {
            Subject::Bookkeeping => Ok(()),
            Subject::Whiteout { parent, name } => self.builder.whiteout(&parent, name),
            Subject::Opaque { directory } => self.builder.opaque(&directory),
            Subject::Root => match kind {
                EntryKind::Directory => self.builder.put_root(meta),
                _ => Err(EntryError::RootNotDirectory),
            },
            Subject::Name { parent, name } => {
                let object = match kind {
                    EntryKind::Directory => Object::Directory,
                    EntryKind::HardLink(target) => Object::HardLink(target),
                    EntryKind::Symlink(target) => Object::Leaf(Leaf::Symlink(target)),
                    EntryKind::CharDevice { major, minor } => Object::Leaf(Leaf::CharDevice { major, minor }),
                    EntryKind::BlockDevice { major, minor } => {
                        Object::Leaf(Leaf::BlockDevice { major, minor })
                    }
                    EntryKind::Fifo => Object::Leaf(Leaf::Fifo),
                    EntryKind::File(file) => {
                        let content = self.contents.take(&file, reader).map_err(|error| match error {
                            SpoolError::TooLong => failed(Limit::Content.into()),
                            SpoolError::Write(error) => ApplyError::Spool(error),
                            SpoolError::Read(error) => ApplyError::Tar(reader.failed(error)),
                        })?;
                        Object::Leaf(Leaf::File(content))
                    }
                };
                self.builder.put(&parent, name, meta, object)
            }
        };
        done.map_err(failed)
    }
}
