//! Opens confidential images, and tells the user what was done to one after its conversion.

use anyhow::Result;
use image_convert::{Outside, Package, PackageError};
use oci_image::{Compression, ImageRef, ImageSource};

use crate::output::progress::ProgressLine;
use crate::user_cache::{retention, unpacked_layers};

/// The confidential image at this place.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open(place: &ImageRef) -> Result<Package> {
    Ok(find(&ImageSource::open(place)?)?)
}

/// As [`open`], in an image that has been opened. Compressed layers are unpacked into the cache.
///
/// # Errors
/// When it is not a confidential image, or cannot be read.
pub fn find(source: &ImageSource) -> Result<Package, PackageError> {
    let is_compressed = |layer: &oci_image::Layer| layer.compression() != Compression::None;
    if !source.layers().iter().any(is_compressed) {
        return Package::find(source, None, &mut image_convert::Silent);
    }
    let dir = unpacked_layers::dir();
    let package = Package::find(source, dir.as_deref(), &mut ProgressLine::new())?;
    if let Some(dir) = dir {
        retention::remove_old(&dir);
    }
    Ok(package)
}

/// Sentences about what is in the image, and not in the enclave; none for an image as `nacre convert` writes it.
pub fn remarks(outside: &Outside) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut remarks = Vec::new();
    if !outside.files.is_empty() {
        let shown: Vec<_> = outside
            .files
            .iter()
            .take(SHOWN)
            .map(|path| format!("/{}", path.display()))
            .collect();
        let more = if outside.files.len() > SHOWN { ", …" } else { "" };
        remarks.push(format!(
            "what was added after the conversion is outside of the enclave, and its programs do not see it: {}{more}",
            shown.join(", "),
        ));
    }
    if !outside.settings.is_empty() {
        remarks.push(format!(
            "the image's configuration was changed after the conversion, with no effect in the enclave: {}",
            outside.settings.join(", ")
        ));
    }
    if let Some(entry_point) = &outside.entry_point {
        remarks.push(format!(
            "the entry point was replaced after the conversion: a container engine runs {entry_point:?}, outside of the enclave"
        ));
    }
    remarks
}
