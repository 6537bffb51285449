//! A file without a name until it is complete.
//!
//! `O_TMPFILE` makes a file which the kernel frees when the process ends, even by a signal or a crash, unless it
//! was given a name. File systems without it (NFS, some FUSE) get a file with a temporary name that is removed when
//! it is dropped; there, a killed process leaves it behind.
//!
//! Files are not synced: a power failure may lose an image that was just written, as with any other copy of a file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::NamedTempFile;

/// Permissions before the umask.
const MODE: u32 = 0o666;

pub(crate) struct Unfinished(Inner);

enum Inner {
    Nameless(File),
    Named(NamedTempFile),
}

impl Unfinished {
    /// A file that can be given any name on the file system of `dir`.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(fd) = rustix::fs::open(dir, flags, Mode::from_raw_mode(MODE)) {
            let file = File::from(fd);
            // It gets its name by way of /proc, which a sandbox may lack.
            if proc_path(&file).exists() {
                return Ok(Self(Inner::Nameless(file)));
            }
        }
        Self::create_named(dir)
    }

    fn create_named(dir: &Path) -> io::Result<Self> {
        let mode = PermissionsExt::from_mode(MODE);
        let file = tempfile::Builder::new()
            .prefix(".unfinished-")
            .permissions(mode)
            .tempfile_in(dir)?;
        Ok(Self(Inner::Named(file)))
    }

    pub(crate) fn file(&self) -> &File {
        match &self.0 {
            Inner::Nameless(file) => file,
            Inner::Named(file) => file.as_file(),
        }
    }

    /// Names the file, in place of what has that name. The old file or the new one is there at any moment.
    pub(crate) fn publish(self, target: &Path) -> io::Result<()> {
        let file = match self.0 {
            Inner::Nameless(file) => file,
            Inner::Named(file) => return Ok(file.persist(target).map(drop)?),
        };
        let source = proc_path(&file);
        let link = |name: &Path| {
            rustix::fs::linkat(CWD, &source, CWD, name, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
        };
        match link(target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
        // A link never replaces a file, a rename does.
        let dir = target
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let named = tempfile::Builder::new()
            .prefix(".unfinished-")
            .make_in(dir, link)?;
        Ok(named.persist(target).map(drop)?)
    }
}

fn proc_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn both_kinds_appear_when_they_are_published() {
        let plain = tempfile::tempdir().unwrap();
        std::fs::write(plain.path().join("plain"), b"").unwrap();
        let mode_of = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let expected_mode = mode_of(&plain.path().join("plain"));
        for create in [Unfinished::create, Unfinished::create_named] {
            let dir = tempfile::tempdir().unwrap();
            let count = || std::fs::read_dir(dir.path()).unwrap().count();
            let target = dir.path().join("target");
            for content in ["first", "second"] {
                let file = create(dir.path()).unwrap();
                file.file().write_all_at(content.as_bytes(), 0).unwrap();
                file.publish(&target).unwrap();
                assert_eq!(std::fs::read_to_string(&target).unwrap(), content);
                assert_eq!(count(), 1);
            }
            assert_eq!(mode_of(&target), expected_mode);
            drop(create(dir.path()).unwrap());
            assert_eq!(count(), 1);
            assert!(
                create(dir.path())
                    .unwrap()
                    .publish(&dir.path().join("no/dir"))
                    .is_err()
            );
            assert_eq!(count(), 1);
        }
    }
}
