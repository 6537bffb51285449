//! Writes a `docker-archive` (what `docker save` writes) of one layer, the same bytes for the same input.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

/// What an image says of its process: the part of the OCI image configuration that a Dockerfile sets.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Config {
    /// The program and its fixed arguments.
    pub entrypoint: Vec<String>,
    /// Arguments that a user may replace.
    pub cmd: Vec<String>,
    /// The environment as `NAME=value`.
    pub env: Vec<String>,
    /// Where the process starts.
    pub working_dir: String,
    /// User and group of the process; empty for root.
    pub user: String,
}

/// One file, directory or link of a layer, owned by root.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    path: String,
    kind: tar::EntryType,
    mode: u32,
    target: String,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Entry<'a> {
    /// A regular file at `path`, which is relative to the root.
    pub fn file(path: &str, mode: u32, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            bytes: bytes.into(),
            ..Self::new(path, tar::EntryType::Regular, mode)
        }
    }

    /// A directory at `path`.
    pub fn directory(path: &str, mode: u32) -> Self {
        Self::new(path, tar::EntryType::Directory, mode)
    }

    /// A symbolic link at `path`.
    pub fn symlink(path: &str, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..Self::new(path, tar::EntryType::Symlink, 0o777)
        }
    }

    /// Another name of the file at `target`, which stands before it in the layer.
    pub fn hard_link(path: &str, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..Self::new(path, tar::EntryType::Link, 0o644)
        }
    }

    /// The folder at `source` and all that is in it, at `path`, sorted by name.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else than files, folders and symbolic links.
    pub fn folder(path: &str, source: &Path) -> Result<Vec<Self>> {
        let mut entries = vec![Self::directory(path, 0o755)];
        let mut items = fs::read_dir(source)?.collect::<io::Result<Vec<_>>>()?;
        items.sort_by_key(fs::DirEntry::file_name);
        for item in items {
            let (name, source) = (item.file_name(), item.path());
            let name = name
                .to_str()
                .with_context(|| format!("{} is not UTF-8", source.display()))?;
            let path = format!("{path}/{name}");
            let metadata = item.metadata()?;
            if metadata.is_dir() {
                entries.extend(Self::folder(&path, &source)?);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&source)?;
                entries.push(Self::symlink(&path, target.to_str().context("not UTF-8")?));
            } else if metadata.is_file() {
                let mode = metadata.permissions().mode() & 0o7777;
                entries.push(Self::file(&path, mode, fs::read(&source)?));
            } else {
                bail!("{} is neither a file nor a folder", source.display());
            }
        }
        Ok(entries)
    }

    /// Where it is, relative to the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn new(path: &str, kind: tar::EntryType, mode: u32) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            mode,
            target: String::new(),
            bytes: Cow::Borrowed(&[]),
        }
    }
}

/// A layer of these entries.
///
/// # Errors
/// When a path is too long for a tar archive.
pub fn layer<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries {
        append(&mut tar, entry)?;
    }
    Ok(tar.into_inner()?)
}

/// Writes the image called `name` (`repository:tag`) with this one `layer`.
///
/// # Errors
/// When `out` refuses.
pub fn write(out: impl Write, name: &str, config: &Config, layer: &[u8]) -> Result<()> {
    write_with(out, name, serde_json::to_value(config)?, layer)
}

/// As [`write`], with an image configuration of any members.
///
/// # Errors
/// As [`write`].
pub fn write_with(out: impl Write, name: &str, config: serde_json::Value, layer: &[u8]) -> Result<()> {
    let diff_id = hex(&Sha256::digest(layer));
    let image = serde_json::to_vec(&json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff_id}")] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "nacre tests" }],
    }))?;
    let config_name = format!("{}.json", hex(&Sha256::digest(&image)));
    let layer_name = format!("{diff_id}/layer.tar");
    let manifest = serde_json::to_vec(&json!([{
        "Config": config_name,
        "RepoTags": [name],
        "Layers": [layer_name],
    }]))?;
    let mut tar = tar::Builder::new(out);
    append(&mut tar, Entry::file(&config_name, 0o644, image))?;
    append(&mut tar, Entry::file(&layer_name, 0o644, layer))?;
    append(&mut tar, Entry::file("manifest.json", 0o644, manifest))?;
    tar.finish()?;
    Ok(())
}

/// Unpacks the one layer of a confidential image, an `oci-archive`, into a directory. The layer is the archive's largest
/// member by far.
///
/// # Errors
/// When it cannot be read, or not written.
pub fn unpack_layer(archive: &Path, directory: &Path) -> Result<()> {
    const LARGER_THAN_DOCUMENTS: u64 = 1 << 20;
    let file = fs::File::open(archive).with_context(|| archive.display().to_string())?;
    for member in tar::Archive::new(file).entries()? {
        let member = member?;
        if member.size() > LARGER_THAN_DOCUMENTS {
            return Ok(tar::Archive::new(member).unpack(directory)?);
        }
    }
    bail!("{}: there is no layer", archive.display())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn append(tar: &mut tar::Builder<impl Write>, entry: Entry<'_>) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(entry.kind);
    header.set_mode(entry.mode);
    header.set_size(entry.bytes.len() as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    match entry.kind {
        tar::EntryType::Symlink | tar::EntryType::Link => {
            tar.append_link(&mut header, entry.path, entry.target)?
        }
        tar::EntryType::Directory => tar.append_data(&mut header, format!("{}/", entry.path), io::empty())?,
        _ => tar.append_data(&mut header, entry.path, &*entry.bytes)?,
    }
    Ok(())
}
