//! Reads files and standard input.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// All of a file, or of standard input for `-`.
///
/// # Errors
/// When it cannot be read, or is larger than such a file can be.
pub fn read(path: &Path, max_size: u64) -> Result<Vec<u8>> {
    let name = || format!("cannot read {}", path.display());
    let mut reader: Box<dyn Read> = if is_standard(path) {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path).with_context(name)?)
    };
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take(max_size + 1)
        .read_to_end(&mut bytes)
        .with_context(name)?;
    if bytes.len() as u64 > max_size {
        bail!(
            "{} is larger than {max_size} bytes, which is more than such a file can have",
            path.display()
        );
    }
    Ok(bytes)
}

/// Whether a path stands for standard input.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}
