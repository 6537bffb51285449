//! The images of real programs, made from Debian packages and cached outside the repository.
//!
//! [`recipes`] says what they hold, [`provide`] builds one unless it is there. Nothing of an image is executed to
//! build it, and root is not needed where user namespaces are allowed.

mod debian;
mod npm;
mod pypi;
mod recipes;

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::archive::{self, Entry};
use crate::{Guest, Linkage, guests_dir};

pub use recipes::recipes;

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name, and its repository name.
    pub name: Cow<'static, str>,
    content: Content,
    /// Path and text of files that are added.
    files: &'static [(&'static str, &'static str)],
    config: archive::Config,
}

#[derive(Clone, Debug)]
enum Content {
    /// Debian packages with all that they depend on.
    Packages(&'static [&'static str]),
    /// Packages of several registries, with all that they depend on.
    Registries(Registries),
    /// A program of an npm package (name and version, its path there) as `/program`, with Debian packages.
    Npm {
        package: &'static str,
        program: &'static str,
        packages: &'static [&'static str],
    },
    /// A Go program, static, as `/program`.
    Go(&'static str),
    /// A guest, with its libraries, as `/guest`.
    Guest(&'static str, Linkage),
}

/// Packages by their registry, none of which is executed when they are unpacked.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Registries {
    /// Debian's, each by its name.
    #[serde(default)]
    pub debian: Vec<String>,
    /// PyPI's, each as `NAME==VERSION`; Debian's Python finds them.
    #[serde(default)]
    pub pypi: Vec<String>,
    /// npm's, each as `NAME@VERSION`, in `/app/node_modules`.
    #[serde(default)]
    pub npm: Vec<String>,
}

impl Recipe {
    /// An image of packages, whose command the user gives.
    pub fn of_registries(name: &str, registries: Registries) -> Self {
        Self {
            name: name.to_owned().into(),
            content: Content::Registries(registries),
            files: &[],
            config: archive::Config {
                cmd: vec!["/bin/sh".to_owned()],
                env: vec![
                    recipes::PATH.to_owned(),
                    "HOME=/root".to_owned(),
                    "LANG=C.UTF-8".to_owned(),
                ],
                working_dir: "/".to_owned(),
                ..archive::Config::default()
            },
        }
    }

    /// The environment of its processes, as `NAME=value`.
    pub fn env(&self) -> &[String] {
        &self.config.env
    }
}

/// The path of this recipe's `docker-archive`, which is built unless it is cached.
///
/// # Errors
/// When a tool is missing or fails; the message says which package has it.
pub fn provide(recipe: &Recipe) -> Result<PathBuf> {
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    let mut key = Sha256::new();
    key.update(format!("{FORMAT} {recipe:?} {}", debian::codename()?));
    if let Content::Guest(name, _) = &recipe.content {
        key.update(fs::read(guests_dir().join(name).with_extension("c"))?);
    }
    let key = key.finalize();
    let path = cache.join(format!("{}-{}.tar", recipe.name, archive::hex(&key[..8])));
    // One builds, the others wait for it.
    let lock = fs::File::create(path.with_extension("lock"))?;
    lock.lock()?;
    if !path.is_file() {
        build(recipe, &path).with_context(|| format!("cannot build the image {}", recipe.name))?;
    }
    Ok(path)
}

/// The recipe of this name.
///
/// # Errors
/// When there is none.
pub fn recipe(name: &str) -> Result<Recipe> {
    let known: Vec<_> = recipes().into_iter().map(|recipe| recipe.name).collect();
    let found = recipes().into_iter().find(|recipe| recipe.name == name);
    found.with_context(|| format!("there is no image {name}, only {}", known.join(", ")))
}

/// Raised when the way of building changes, so that old caches are not used.
const FORMAT: u32 = 3;

/// `$XDG_CACHE_HOME/nacre/images`.
fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    Ok(base.join("nacre/images"))
}

fn build(recipe: &Recipe, path: &Path) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let files = recipe
        .files
        .iter()
        .map(|(path, text)| Entry::file(path, 0o644, text.as_bytes()));
    let layer = match &recipe.content {
        Content::Packages(packages) => debian::layer(packages, files.collect(), scratch.path())?,
        Content::Registries(registries) => {
            let mut files: Vec<_> = files.collect();
            files.extend(pypi::files(&registries.pypi, scratch.path())?);
            files.extend(npm::files(&registries.npm, scratch.path())?);
            let packages: Vec<&str> = registries.debian.iter().map(String::as_str).collect();
            debian::layer(&packages, files, scratch.path())?
        }
        Content::Npm {
            package,
            program,
            packages,
        } => {
            let program = fs::read(npm::unpack(package, program, scratch.path())?)?;
            let program = [Entry::file("program", 0o755, program)];
            debian::layer(packages, files.chain(program).collect(), scratch.path())?
        }
        Content::Go(source) => {
            let program = fs::read(build_go(source, scratch.path())?)?;
            archive::layer(
                [
                    Entry::directory("tmp", 0o1777),
                    Entry::file("program", 0o755, program),
                ]
                .into_iter()
                .chain(files),
            )?
        }
        Content::Guest(name, linkage) => {
            let guest = Guest::all()?
                .into_iter()
                .find(|guest| guest.name == *name && guest.linkage == *linkage);
            let guest = guest.with_context(|| format!("there is no guest {name}, linked {linkage}"))?;
            let program = guest.build(scratch.path())?;
            archive::layer(guest.entries(&program)?.into_iter().chain(files))?
        }
    };
    let readable = fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(path.parent().context("no folder")?)?;
    archive::write(
        file.as_file_mut(),
        &format!("{}:latest", recipe.name),
        &recipe.config,
        &layer,
    )?;
    file.flush()?;
    file.persist(path)?;
    Ok(())
}

/// The layer's files of a `docker-archive`, below `root`.
///
/// # Errors
/// When it has no layer, or `root` cannot be written.
pub fn unpack(image: &Path, root: &Path) -> Result<()> {
    let mut image = tar::Archive::new(fs::File::open(image)?);
    for entry in image.entries()? {
        let entry = entry?;
        if entry.path()?.ends_with("layer.tar") {
            let mut layer = tar::Archive::new(entry);
            layer.set_preserve_permissions(true);
            return Ok(layer.unpack(root)?);
        }
    }
    bail!("it has no layer")
}

fn build_go(source: &str, scratch: &Path) -> Result<PathBuf> {
    let file = scratch.join("main.go");
    fs::write(&file, source)?;
    let program = scratch.join("program");
    let output = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .args([&program, &file])
        .current_dir(scratch)
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", scratch.join("cache"))
        .output();
    let Ok(output) = output else {
        bail!("cannot run go; install the package golang-go")
    };
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(program)
}
