//! An image layout in a directory, to which an image is added.
//!
//! Blobs first, `index.json` last, so a reader never meets an index that names what is not there. Writers to the
//! same directory take turns by `flock` on it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{
    Attachment, Documents, LAYOUT, LAYOUT_FILE, NewImage, WriteError, WrittenImage, blob_name, layer,
};
use crate::digest::Digest;
use crate::manifest::{Descriptor, INDEX, REF_NAME};
use crate::reference::ImageRef;
use crate::unfinished::Unfinished;

pub(super) fn write(
    place: &ImageRef,
    image: NewImage<'_>,
    attach: &dyn Fn(&WrittenImage) -> Vec<Attachment>,
    progress: &mut dyn FnMut(u64),
) -> Result<WrittenImage, WriteError> {
    let dir = place.path.as_path();
    let blobs = dir.join("blobs/sha256");
    // The directory is made when its content is complete; until then the layer waits next to it.
    let waiting = blobs
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(Path::new("."));
    let waiting = if waiting.as_os_str().is_empty() {
        Path::new(".")
    } else {
        waiting
    };
    let target = WriteError::target;
    let layer_file = Unfinished::create(waiting).map_err(target(dir))?;
    let layer = layer::write(image.files, layer_file.file(), 0, dir, progress)?;
    let documents = Documents::new(
        image.config,
        image.annotations,
        place.reference.as_deref(),
        &layer,
        attach,
    );

    let mut directories = Made::default();
    directories.directories(&blobs).map_err(target(dir))?;
    let lock = File::open(dir).map_err(target(dir))?;
    lock.lock().map_err(target(dir))?;
    // Declared after the lock, so that after a failure its files are removed while the lock is still held.
    let mut made = Made::default();
    let attached = documents.referrers.iter().map(|referrer| &referrer.descriptor);
    let index = updated_index(dir, &documents.descriptor, attached)?;

    let written = documents.written;
    made.file(layer_file, &dir.join(blob_name(written.layer_digest)))?;
    let image = [
        (written.config_digest, documents.config.as_slice()),
        (written.manifest_digest, documents.manifest.as_slice()),
    ];
    for (digest, bytes) in image.into_iter().chain(documents.attached_blobs()) {
        made.file(whole(&blobs, bytes)?, &dir.join(blob_name(digest)))?;
    }
    let marker = dir.join(LAYOUT_FILE);
    if !marker.exists() {
        made.file(whole(dir, LAYOUT)?, &marker)?;
    }
    let index_path = dir.join("index.json");
    whole(dir, &index)?
        .publish(&index_path)
        .map_err(target(&index_path))?;
    made.keep();
    directories.keep();
    Ok(written)
}

/// Refuses a directory that holds something else.
pub(super) fn check_target(place: &ImageRef) -> Result<(), WriteError> {
    let dir = place.path.as_path();
    let not_a_layout = |reason: String| WriteError::NotALayout {
        path: dir.to_owned(),
        reason,
    };
    let is_new = match fs::read_dir(dir) {
        // Another writer may be about to make the same layout: it makes the directory for blobs first.
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "blobs")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(WriteError::target(dir)(error)),
    };
    if is_new {
        return Ok(());
    }
    let marker = fs::read(dir.join(LAYOUT_FILE)).map_err(|_| {
        not_a_layout(format!(
            "it is not empty and has no {LAYOUT_FILE}; name a new directory"
        ))
    })?;
    let version = serde_json::from_slice::<Value>(&marker).unwrap_or_default();
    match version.get("imageLayoutVersion").and_then(Value::as_str) {
        Some("1.0.0") => Ok(()),
        _ => Err(not_a_layout(format!(
            "its {LAYOUT_FILE} does not say version 1.0.0"
        ))),
    }
}

/// The index of `dir` with `image` and what is `attached` to it, instead of an older one of the same name. What else the
/// index says is kept as it is.
fn updated_index<'a>(
    dir: &Path,
    image: &Descriptor,
    attached: impl Iterator<Item = &'a Descriptor>,
) -> Result<Vec<u8>, WriteError> {
    let not_a_layout = |reason: &str| WriteError::NotALayout {
        path: dir.to_owned(),
        reason: reason.to_owned(),
    };
    let mut index = match fs::read(dir.join("index.json")) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|_| not_a_layout("its index.json is not valid JSON"))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] })
        }
        Err(error) => return Err(WriteError::target(dir)(error)),
    };
    // Go writes an empty list so.
    if let Some(empty @ Value::Null) = index.get_mut("manifests") {
        *empty = json!([]);
    }
    let manifests = index
        .get_mut("manifests")
        .and_then(Value::as_array_mut)
        .ok_or_else(|| not_a_layout("its index.json has no list of manifests"))?;
    let name = |entry: &Value| {
        entry
            .pointer("/annotations")
            .and_then(|a| a.get(REF_NAME))
            .cloned()
    };
    let value =
        |descriptor: &Descriptor| serde_json::to_value(descriptor).expect("a descriptor is valid JSON");
    let image = value(image);
    let replaced = |entry: &Value| match name(&image) {
        Some(own) => name(entry) == Some(own),
        None => entry.get("digest") == image.get("digest") && name(entry).is_none(),
    };
    let (removed, mut kept): (Vec<Value>, Vec<Value>) = std::mem::take(manifests)
        .into_iter()
        .partition(|entry| replaced(entry));
    // What was attached to an image that is gone goes with it.
    let is_gone = |digest: &Value| {
        let has = |entries: &[Value]| entries.iter().any(|entry| entry.get("digest") == Some(digest));
        has(&removed) && !has(&kept)
    };
    let orphans: Vec<Value> = kept
        .iter()
        .filter(|entry| subject(dir, entry).is_some_and(|digest| is_gone(&digest)))
        .cloned()
        .collect();
    let attached: Vec<Value> = attached.map(value).collect();
    kept.retain(|entry| !orphans.contains(entry) && !attached.contains(entry));
    kept.push(image);
    kept.extend(attached);
    *manifests = kept;
    Ok(super::json(&index))
}

/// The digest of the image that an entry of the index is about, if it is an artifact of that kind.
fn subject(dir: &Path, entry: &Value) -> Option<Value> {
    entry.get("artifactType")?;
    let (_, hex) = entry.get("digest")?.as_str()?.split_once(':')?;
    // It may say anything.
    let hex = Digest::from_hex(hex)?.hex();
    let manifest = fs::read(dir.join("blobs/sha256").join(hex)).ok()?;
    let manifest: Value = serde_json::from_slice(&manifest).ok()?;
    manifest.pointer("/subject/digest").cloned()
}

fn whole(dir: &Path, bytes: &[u8]) -> Result<Unfinished, WriteError> {
    let write = || {
        let file = Unfinished::create(dir)?;
        file.file().write_all_at(bytes, 0)?;
        Ok(file)
    };
    write().map_err(WriteError::target(dir))
}

/// What this write has added, removed again unless it succeeds.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Made {
    /// Makes a directory and the missing ones above it.
    fn directories(&mut self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.is_dir())
            .collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => self.directories.push(path.to_owned()),
                // Another writer was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Names a file whose content is determined by its name. One of that name is replaced: it may be damaged.
    fn file(&mut self, file: Unfinished, path: &Path) -> Result<(), WriteError> {
        let is_new = !path.exists();
        file.publish(path).map_err(WriteError::target(path))?;
        if is_new {
            self.files.push(path.to_owned());
        }
        Ok(())
    }

    fn keep(mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the error that led here is the one to report.
        for file in self.files.drain(..) {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.drain(..).rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}
