//! `nacre cache`: what nacre keeps between runs, and how to be rid of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::flags::byte_size::ByteSize;
use crate::{output, user_cache};

/// Show and empty the directory where nacre keeps converted images and unpacked layers
#[derive(Args, Debug)]
pub struct Cache {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Show what is kept, and how large it is
    Show,
    /// Remove what conversions have found, converted images, unpacked layers and images from registries, which are made again when they are needed
    ///
    /// The development key and collateral stay. A container that runs keeps its open file.
    Prune,
}

/// What is made again when it is needed, by the name of its directory.
const KEPT: [(&str, &str); 4] = [
    (
        user_cache::known_programs::NAME,
        "what conversions have found in programs",
    ),
    ("converted", "images that nacre run has converted"),
    (user_cache::FETCHED, "images from registries"),
    ("layers", "layers of confidential images, unpacked"),
];

impl Cache {
    pub fn run(self) -> Result<()> {
        let path = user_cache::path()?;
        match self.what {
            What::Show => show(&path),
            What::Prune => prune(&path),
        }
    }
}

fn show(cache: &Path) -> Result<()> {
    output::line(cache.display())?;
    for (name, what) in KEPT {
        let files = files(&cache.join(name))?;
        let size = ByteSize(files.iter().map(|(_, size)| size).sum());
        output::line(format_args!("  {name:<12}{} files, {size}: {what}", files.len()))?;
    }
    Ok(())
}

fn prune(cache: &Path) -> Result<()> {
    let (mut count, mut size) = (0_usize, 0);
    for (name, _) in KEPT {
        for (path, len) in files(&cache.join(name))? {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            count += 1;
            size += len;
        }
    }
    output::line(format_args!("removed {count} files, {}", ByteSize(size)))
}

/// The files below a directory with the bytes that they take on the disk; none if there is no directory.
fn files(directory: &Path) -> Result<Vec<(PathBuf, u64)>> {
    use std::os::unix::fs::MetadataExt as _;
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", directory.display()))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", directory.display()))?;
        // Another nacre may have removed it by now.
        match entry.metadata() {
            Ok(found) if found.is_file() => files.push((entry.path(), found.blocks() * 512)),
            Ok(found) if found.is_dir() => files.extend(self::files(&entry.path())?),
            _ => {}
        }
    }
    Ok(files)
}
