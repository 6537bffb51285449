//! Running containers: sockets in a private directory, by which other commands reach them.
//!
//! The directory is `$XDG_RUNTIME_DIR/nacre`, or `nacre-UID` in the directory for temporary files. Only its owner may enter it, and so
//! nobody else reaches the containers. A socket whose container is gone is removed when somebody looks.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use host_runtime::control::{self, Control, Question};

/// What a socket's file is called behind the container's name.
const SUFFIX: &str = ".sock";

/// The directory, which is made if it is not there.
fn dir() -> Result<PathBuf> {
    let own = fs::metadata("/proc/self").context("there is no /proc")?.uid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let dir = match runtime.filter(|dir| dir.is_absolute()) {
        Some(dir) => dir.join("nacre"),
        None => std::env::temp_dir().join(format!("nacre-{own}")),
    };
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {}", dir.display()));
        }
        _ => {}
    }
    // Whoever made it first could serve what is asked of containers.
    let found = fs::symlink_metadata(&dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    if !found.is_dir() || found.uid() != own || found.permissions().mode() & 0o077 != 0 {
        bail!(
            "{} is not a directory of yours alone: remove it, or set XDG_RUNTIME_DIR",
            dir.display()
        );
    }
    Ok(dir)
}

/// Letters, digits, `_`, `.` and `-`, as container engines allow; not so long that a socket's address has no room.
fn check_name(name: &str) -> Result<()> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !begins || name.len() > 48 || !name.bytes().all(is_fine) {
        bail!("{name:?} is no name for a container: use letters, digits, `_`, `.` and `-`, 48 at most");
    }
    Ok(())
}

/// Makes a container reachable by a name, or by a number of its own.
///
/// # Errors
/// When the name is taken, or nothing can be written there.
pub fn listen(name: Option<&str>, description: &str, refusal: Option<String>) -> Result<Control> {
    let own = format!("{}", std::process::id());
    let name = name.unwrap_or(&own);
    check_name(name)?;
    let path = dir()?.join(format!("{name}{SUFFIX}"));
    if path.exists() {
        if describe(&path).is_some() {
            bail!("the name {name} is taken by a container that runs: choose another, or end that one");
        }
        remove(&path)?;
    }
    let listener =
        UnixListener::bind(&path).with_context(|| format!("cannot listen at {}", path.display()))?;
    Ok(Control {
        path,
        listener,
        description: description.to_owned(),
        refusal,
    })
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn describe(path: &Path) -> Option<String> {
    let (_, text) = control::ask(path, Question::Describe, &[], &[]).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The containers that run: name and description, by name.
///
/// # Errors
/// When the directory cannot be read.
pub fn list() -> Result<Vec<(String, String)>> {
    let dir = dir()?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(|name| name.strip_suffix(SUFFIX)) else {
            continue;
        };
        match describe(&path) {
            Some(description) => found.push((name.to_owned(), description)),
            None => remove(&path)?,
        }
    }
    found.sort();
    Ok(found)
}

/// The socket of a running container.
///
/// # Errors
/// When none has this name.
pub fn find(name: &str) -> Result<PathBuf> {
    check_name(name)?;
    let path = dir()?.join(format!("{name}{SUFFIX}"));
    if describe(&path).is_none() {
        bail!("no container called {name} runs (see nacre ps)");
    }
    Ok(path)
}
