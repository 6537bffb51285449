//! The directory of what was fetched.
//!
//! ```text
//! blobs/sha256/HEX    blobs, complete and checked
//! partial/HEX         blobs that are on their way: a later command goes on where they end
//! images/HEX/         an OCI layout for each manifest or index that a name led to; its blobs are a link to blobs/
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oci_image::{Digest, ImageRef, Transport};
use serde_json::json;

use crate::Error;

/// How many blobs stay: layers, configurations and manifests of some dozens of images.
const MAX_BLOBS: usize = 512;

/// A directory of blobs and layouts.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// An image that was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it is: an OCI layout.
    pub place: ImageRef,
    /// What the name led to: the digest of a manifest, or of an index.
    pub digest: Digest,
    /// Bytes of blobs that had to be fetched; the others were there.
    pub bytes: u64,
}

impl Store {
    /// The store in this directory, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let store = Self { root: root.into() };
        for directory in ["blobs/sha256", "partial", "images"] {
            let path = root.join(directory);
            store.at(&path, fs::create_dir_all(&path))?;
        }
        Ok(store)
    }

    /// Where the blob of this digest is, or will be.
    pub(crate) fn blob(&self, digest: Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether the blob is there.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.blob(digest).is_file()
    }

    /// Where the blob of this digest is until it is complete.
    pub(crate) fn partial(&self, digest: Digest) -> PathBuf {
        self.root.join("partial").join(digest.hex())
    }

    /// Gives a complete blob its name.
    pub(crate) fn complete(&self, digest: Digest) -> Result<(), Error> {
        let blob = self.blob(digest);
        self.at(&blob, fs::rename(self.partial(digest), &blob))
    }

    /// Keeps a document, whose digest was checked.
    pub(crate) fn put(&self, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
        let blob = self.blob(digest);
        let mut file = self.at(&blob, tempfile::NamedTempFile::new_in(self.root.join("partial")))?;
        self.at(&blob, file.write_all(bytes))?;
        self.at(&blob, file.persist(&blob).map(drop).map_err(|error| error.error))
    }

    /// Removes the blobs that have not been used for longest, beyond the number that stays. Who needs one again fetches it
    /// again. What cannot be removed stays.
    pub fn forget_old(&self) {
        let entries = fs::read_dir(self.root.join("blobs/sha256"))
            .into_iter()
            .flatten()
            .flatten();
        let mut blobs: Vec<_> = entries
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        blobs.sort();
        for (_, path) in blobs.iter().rev().skip(MAX_BLOBS) {
            let _ = fs::remove_file(path);
        }
    }

    /// Notes that a blob has been used now. If that fails, it only looks older than it is.
    pub(crate) fn note_use(&self, digest: Digest) {
        if let Ok(file) = File::open(self.blob(digest)) {
            let _ = file.set_modified(SystemTime::now());
        }
    }

    /// A layout whose one entry is this manifest or index.
    pub(crate) fn layout(&self, digest: Digest, size: u64, media_type: &str) -> Result<ImageRef, Error> {
        let directory = self.root.join("images").join(digest.hex());
        self.at(&directory, fs::create_dir_all(&directory))?;
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{ "mediaType": media_type, "digest": digest.to_string(), "size": size }],
        });
        let files = [
            ("index.json", index.to_string()),
            ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string()),
        ];
        for (name, text) in files {
            let path = directory.join(name);
            let mut file = self.at(&path, tempfile::NamedTempFile::new_in(&directory))?;
            self.at(&path, file.write_all(text.as_bytes()))?;
            self.at(&path, file.persist(&path).map(drop).map_err(|error| error.error))?;
        }
        let link = directory.join("blobs");
        match symlink("../../blobs", &link) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::Store { path: link, error });
            }
            _ => {}
        }
        Ok(ImageRef {
            transport: Transport::OciDir,
            path: directory,
            reference: None,
        })
    }

    /// The partial blob, held against other commands that fetch the same one.
    pub(crate) fn open_partial(&self, digest: Digest) -> Result<File, Error> {
        let path = self.partial(digest);
        let options = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .clone();
        let file = self.at(&path, options.open(&path))?;
        self.at(&path, file.lock())?;
        Ok(file)
    }

    pub(crate) fn at<T>(&self, path: &Path, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| Error::Store {
            path: path.into(),
            error,
        })
    }
}
