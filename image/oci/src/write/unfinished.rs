//! A file that has no name until it is complete.
//!
//! `O_TMPFILE` makes a file which the kernel frees when the process ends, even by a signal or a crash, unless it
//! was given a name. File systems without it (NFS, some FUSE) get a file with a temporary name that is removed when
//! it is dropped; there, a killed process leaves it behind.
//!
//! Files are not synced: a power failure may lose an image that was just written, as with any other copy of a file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::NamedTempFile;

/// Permissions before the umask.
const MODE: u32 = 0o666;

pub(super) struct Unfinished(Inner);

enum Inner {
    Nameless(File),
    Named(NamedTempFile),
}

impl Unfinished {
    /// A file that can be given any name on the file system of `dir`.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(fd) = rustix::fs::open(dir, flags, Mode::from_raw_mode(MODE)) {
            let file = File::from(fd);
            // It gets its name by way of /proc, which a sandbox may lack.
            if proc_path(&file).exists() {
                return Ok(Self(Inner::Nameless(file)));
            }
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(MODE);
        tempfile::Builder::new()
            .prefix(".unfinished-")
            .permissions(mode)
            .tempfile_in(dir)
            .map(Inner::Named)
            .map(Self)
    }

    pub(super) fn file(&self) -> &File {
        match &self.0 {
            Inner::Nameless(file) => file,
            Inner::Named(file) => file.as_file(),
        }
    }

    /// Names the file, in place of what has that name. The old file or the new one is there at any moment.
    pub(super) fn publish(self, target: &Path) -> io::Result<()> {
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
