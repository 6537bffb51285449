//! Compressed layers of confidential images, kept as plain files so that the next command need not unpack them again.

use std::fs;
use std::path::PathBuf;

/// The directory of the unpacked layers, which is made if it does not exist; `None` if it cannot be made. Then layers are
/// unpacked to temporary files.
pub fn dir() -> Option<PathBuf> {
    let dir = super::open().ok()?.join("layers");
    fs::create_dir_all(&dir).ok()?;
    Some(dir)
}
