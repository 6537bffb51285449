//! What keeps a program from running as it is linked: its machine, its interpreter, its libraries, AddressSanitizer.

use std::collections::BTreeSet;

use oci_image::{InodeId, Tree};
use printable_text::printable;

use super::elf::{Elf, Read};
use super::finding::{Finding, Severity};
use super::image_files::{ImageFile, ImageFiles};

/// Looks at every program and library. `started` are those that the entry point starts, with their libraries.
pub(super) fn findings(tree: &Tree, files: &ImageFiles, started: &BTreeSet<InodeId>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, file) in &files.files {
        let severity = match file.elf() {
            _ if started.contains(id) => Severity::CannotStart,
            // A library may be one that is never loaded.
            Some(elf) if !elf.linkage.is_program() => Severity::MayFail,
            _ => Severity::CannotRun,
        };
        let problems = match &file.read {
            Read::Foreign(machine) => vec![(
                format!("it is for another machine: {machine}"),
                "use an image for linux/amd64, with 64-bit programs",
            )],
            Read::Elf(elf) => problems(tree, files, elf),
            Read::Other => Vec::new(),
        };
        let finding = |(problem, advice)| Finding::new(severity, &file.path, problem, advice);
        findings.extend(problems.into_iter().map(finding));
        findings.extend(fixed(file));
    }
    findings
}

fn problems(tree: &Tree, files: &ImageFiles, elf: &Elf) -> Vec<(String, &'static str)> {
    let mut problems = Vec::new();
    let is_there = |path: &Vec<u8>| matches!(tree.follow(path), Ok(Some(_)));
    if let Some(path) = elf.interpreter.as_ref().filter(|path| !is_there(path)) {
        problems.push((
            format!("its interpreter {} is not in the image", shown(path)),
            "add the C library that it was built for (glibc's programs do not run on Alpine), or link it statically",
        ));
    }
    for name in elf.needed.iter().filter(|name| files.named(name).is_none()) {
        problems.push((
            format!("the library {} is not in the image", shown(name)),
            "install the package that has it",
        ));
    }
    // The sanitizer's own library has it as an export.
    if elf.has_asan && (elf.linkage.is_program() || !elf.exports.contains(&b"__asan_init"[..])) {
        problems.push((
            "it is built with AddressSanitizer, which needs addresses that an enclave does not have".into(),
            "build it without -fsanitize=address",
        ));
    }
    problems
}

fn fixed(file: &ImageFile) -> Option<Finding> {
    let is_fixed = file.elf().is_some_and(|elf| elf.linkage.is_fixed());
    is_fixed.then(|| {
        Finding::new(
            Severity::Note,
            &file.path,
            "it is linked at fixed addresses: processes that run such programs at the same time take turns on one core",
            "link it position-independent (-pie; Go: -buildmode=pie), if several of them run at once",
        )
    })
}

fn shown(name: &[u8]) -> String {
    printable(&String::from_utf8_lossy(name))
}
