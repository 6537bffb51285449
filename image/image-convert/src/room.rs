//! Whether there is room for what a conversion will write: an answer before hours of work are better than one after.

use std::path::{Path, PathBuf};

use oci_image::{Compression, ImageRef, ImageSource, Transport};
use rustix::fs::{stat, statvfs};

use crate::ConvertError;

/// Where a conversion writes.
pub(crate) struct Room {
    /// Where temporary files go.
    spool: PathBuf,
    /// Where the image goes.
    target: PathBuf,
}

impl Room {
    pub(crate) fn new(spool: &Path, target: &ImageRef) -> Self {
        let place = target.path.as_path();
        // A layout is a directory, which may have to be made.
        let inside = match target.transport {
            Transport::OciDir => place,
            _ => place.parent().unwrap_or(place),
        };
        let existing = inside.ancestors().find(|path| path.is_dir());
        let target = existing.filter(|path| !path.as_os_str().is_empty());
        Self {
            spool: spool.into(),
            target: target.unwrap_or(Path::new(".")).into(),
        }
    }

    /// Before the layers are read: what is compressed does not become less, and all of it is stored.
    pub(crate) fn for_layers(&self, image: &ImageSource) -> Result<(), ConvertError> {
        let compressed = image
            .layers()
            .iter()
            .filter(|layer| layer.compression() != Compression::None);
        let least = compressed.map(|layer| layer.size()).sum();
        enough(&self.spool, least)
    }

    /// Before the root file system is written, which takes this many bytes: as a temporary file, and in the image.
    pub(crate) fn for_rootfs(&self, len: u64) -> Result<(), ConvertError> {
        let device = |path: &Path| stat(path).map(|found| found.st_dev).ok();
        if device(&self.spool) == device(&self.target) {
            return enough(&self.spool, len.saturating_mul(2));
        }
        enough(&self.spool, len)?;
        enough(&self.target, len)
    }
}

/// What cannot be asked is taken for enough: writing tells.
fn enough(directory: &Path, needed: u64) -> Result<(), ConvertError> {
    let Ok(found) = statvfs(directory) else {
        return Ok(());
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    // Some file systems know no sizes.
    if found.f_blocks == 0 || free >= needed {
        return Ok(());
    }
    Err(ConvertError::Room {
        directory: directory.into(),
        needed: mebibytes(needed),
        free: free >> 20,
    })
}

/// Rounded up.
fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
