//! Memory, threads and addresses: what the configuration gives, and what the programs want at least.

use std::collections::BTreeSet;

use enclave_config::Config;
use oci_image::InodeId;
use serde::Serialize;

use super::finding::{Finding, Severity};
use super::image_files::{ImageFile, ImageFiles};
use crate::flags::byte_size::ByteSize;

/// Sizes in bytes.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Resources {
    /// What all programs may have together.
    pub(super) memory: u64,
    /// What the first program takes when it is loaded with its libraries; what it allocates then comes on top.
    pub(super) loaded: u64,
    /// Threads that all programs may have together.
    pub(super) threads: u32,
    /// Addresses that programs may reserve.
    pub(super) addresses: u64,
}

impl Resources {
    /// `started` are the files that the entry point starts, with their libraries.
    pub(super) fn new(config: &Config, files: &ImageFiles, started: &BTreeSet<InodeId>) -> Self {
        let elves = started
            .iter()
            .filter_map(|id| files.files.get(id).and_then(ImageFile::elf));
        Self {
            memory: config.memory,
            loaded: elves.fold(0, |sum: u64, elf| sum.saturating_add(elf.memory)),
            threads: config.threads,
            addresses: enclave_layout::USER_END - enclave_layout::USER_START,
        }
    }

    pub(super) fn findings(&self, files: &ImageFiles) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.loaded > self.memory {
            findings.push(Finding::new(
                Severity::CannotStart,
                "memory",
                format!(
                    "the first program takes {} with its libraries, and the enclave has {}",
                    ByteSize(self.loaded),
                    ByteSize(self.memory)
                ),
                "convert with a larger --enclave-size",
            ));
        }
        if files.named(b"libjvm.so").is_some() {
            findings.push(Finding::new(
                Severity::Note,
                "Java",
                format!(
                    "without -Xmx, its heap is a quarter of the enclave's memory: {}; it starts some 20 threads of its own",
                    ByteSize(self.memory / 4)
                ),
                "set -Xmx or -XX:MaxRAMPercentage in JAVA_TOOL_OPTIONS, and --threads for a pool of more than 100",
            ));
        }
        findings
    }
}
