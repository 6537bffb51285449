//! Writes the files that the broker gives.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Component, Path, PathBuf};

use provisioning::{File, Owner};

use crate::Failure;

/// Permission bits that a file can have.
const PERMISSIONS: u32 = 0o7777;
/// Of a file that is being written: nobody else can open it.
const CLOSED: u32 = 0o000;
/// Of directories that are missing.
const DIRECTORY: u32 = 0o755;

/// Writes all, in their order; whose they are, if the broker does not say so: `owner`'s.
pub(crate) fn write_all(files: &[File], owner: Owner) -> Result<(), Failure> {
    for file in files {
        write(file, owner).map_err(|error| format!("the file {} cannot be written: {error}", file.path))?;
    }
    Ok(())
}

/// Writes one. Whoever opens its name finds what was there before, or all of it: it gets its name when it is complete.
pub(crate) fn write(file: &File, owner: Owner) -> io::Result<()> {
    let path = Path::new(&file.path);
    let beside = beside(path)?;
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY)
            .create(directory)?;
    }
    // Left over from a renewal that did not end.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(CLOSED).open(&beside)?;
    let owner = file.owner.unwrap_or(owner);
    out.write_all(file.content.expose())?;
    chown(&beside, Some(owner.user), Some(owner.group))?;
    // After its owner: chown(2) takes set-id bits away.
    out.set_permissions(Permissions::from_mode(file.mode & PERMISSIONS))?;
    fs::rename(beside, path)
}

/// The name of a file while it is written.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let is_plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match path.file_name() {
        Some(name) if path.is_absolute() && is_plain => {
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(name);
            hidden.push(".nacre");
            Ok(path.with_file_name(hidden))
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not an absolute path without '..'",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn own() -> Owner {
        let user = rustix::process::getuid().as_raw();
        let group = rustix::process::getgid().as_raw();
        Owner { user, group }
    }

    fn file(path: &Path, content: &str, mode: u32) -> File {
        File {
            path: path.to_str().unwrap().into(),
            content: content.as_bytes().to_vec().into(),
            mode,
            owner: None,
        }
    }

    #[test]
    fn directories_are_made_and_files_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/secret");
        write(&file(&path, "one", 0o400), own()).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_eq!(before.mode() & PERMISSIONS, 0o400);
        write(&file(&path, "two", 0o640), own()).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(
            (
                fs::read_to_string(&path).unwrap().as_str(),
                after.mode() & PERMISSIONS
            ),
            ("two", 0o640)
        );
        // Another file: who has the old one open reads that to its end.
        assert_ne!(before.ino(), after.ino());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn only_absolute_paths_are_written() {
        for path in ["", "a", "/", "/a/../b", "../a", "./a"] {
            let error = write(&file(Path::new(path), "", 0o400), own()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }
}
