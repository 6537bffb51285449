//! Compressed layers as plain files, so that what is in them can be read by offset and mapped.
//!
//! A file is named for the digest of the plain layer, and appears when it is complete and that digest has been checked.
//! So each layer is unpacked once, and two processes that unpack the same one do not disturb each other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::blob::Blob;
use crate::compression::Compression;
use crate::layer::{Layer, LayerError};
use crate::sparse_file;
use crate::tree::Limits;
use crate::unfinished::Unfinished;

/// A layer that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The layer cannot be read, or is not what its digest promised.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// There is no room for it, or no permission.
    #[error("cannot unpack it to {}: {error}", dir.display())]
    Write {
        /// The directory.
        dir: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

/// The plain bytes of a layer: where they are if it is not compressed, or else unpacked in the directory `kept_in`, or
/// in a temporary file without a name. `progress` is told how many bytes of the stored layer were read.
pub(crate) fn plain(
    layer: &Layer,
    kept_in: Option<&Path>,
    progress: &mut dyn FnMut(u64),
) -> Result<Blob, UnpackError> {
    if layer.compression() == Compression::None {
        return Ok(layer.blob.clone());
    }
    let temporary = std::env::temp_dir();
    let dir = kept_in.unwrap_or(&temporary);
    let failed = |error| UnpackError::Write {
        dir: dir.to_owned(),
        error,
    };
    if kept_in.is_none() {
        let file = tempfile::tempfile_in(dir).map_err(failed)?;
        let len = unpack(layer, &file, dir, progress)?;
        return Ok(Blob::from_file(file, layer.blob.path(), len));
    }
    let path = dir.join(format!("{}.tar", layer.diff_id().hex()));
    match File::open(&path) {
        // The time says which were not used for longest. If it cannot be set, the file only looks older than it is.
        Ok(file) => drop(file.set_modified(SystemTime::now())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = Unfinished::create(dir).map_err(failed)?;
            unpack(layer, file.file(), dir, progress)?;
            file.publish(&path).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    Blob::open(&path).map_err(failed)
}

/// Writes the plain layer to a file; returns its length in bytes.
fn unpack(layer: &Layer, file: &File, dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<u64, UnpackError> {
    let failed = |error| UnpackError::Write {
        dir: dir.to_owned(),
        error,
    };
    let mut reader = layer.open(Limits::default().content_len)?;
    let mut chunk = vec![0; 1 << 20];
    let mut len = 0;
    loop {
        let count = match io::Read::read(&mut reader, &mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(LayerError::from(error).into()),
        };
        sparse_file::write_at(file, chunk.get(..count).unwrap_or_default(), len).map_err(failed)?;
        len += count as u64;
        progress(reader.blob_position());
    }
    reader.finish().map_err(LayerError::from)?;
    file.set_len(len).map_err(failed)?;
    Ok(len)
}
