//! Names the scanner by what it is made of, so that what one has found is not taken for what another would find.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let mut files = vec![root.join("Cargo.lock")];
    for directory in ["image/callsites/src", "abi/callsite-map/src"] {
        list(&root.join(directory), &mut files);
        println!("cargo::rerun-if-changed={}", root.join(directory).display());
    }
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    // By name: the order that a file system has is another one on each machine.
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    let hex: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=CALLSITES_SCANNER={hex}");
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries.flatten() {
        match entry.path() {
            path if path.is_dir() => list(&path, files),
            path => files.push(path),
        }
    }
}
