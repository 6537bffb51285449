//! What `nacre explain IMAGE` prints: as text, or as JSON.

use anyhow::Result;
use serde::Serialize;

use super::finding::{Finding, Severity};
use super::resources::Resources;
use super::unsupported::Unsupported;
use crate::flags::byte_size::ByteSize;
use crate::output;

/// The names of the fields are those of the JSON.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) image: String,
    pub(super) is_confidential: bool,
    /// Program and arguments; nothing if the image cannot be converted.
    pub(super) args: Vec<String>,
    /// Paths that are executed, one after the other: scripts, then a program.
    pub(super) starts: Vec<String>,
    /// Nothing if the image cannot be converted.
    pub(super) resources: Option<Resources>,
    /// In all files; of a confidential image, what its label says.
    pub(super) call_sites: String,
    /// Programs and libraries; none for a confidential image, whose files are not looked at.
    pub(super) files: Vec<File>,
    pub(super) unsupported: Vec<Unsupported>,
    pub(super) findings: Vec<Finding>,
}

/// A program or library.
#[derive(Serialize)]
pub(super) struct File {
    pub(super) path: String,
    /// How it is linked, or the machine that it is for.
    pub(super) linkage: String,
    pub(super) interpreter: Option<String>,
    /// Whether the entry point starts it, or is linked with it.
    pub(super) is_started: bool,
    /// System calls that become jumps.
    pub(super) patched: u64,
    /// System calls that trap.
    pub(super) trapping: u64,
    /// Bytes that look like system calls, and would trap.
    pub(super) unproven: u64,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// What matters.
    Short,
    /// With all files.
    Long,
    /// Everything.
    Json,
}

impl Report {
    /// Whether nothing was found that keeps the container from starting.
    pub(super) fn can_start(&self) -> bool {
        let worst = self.findings.iter().map(|finding| finding.severity).min();
        worst != Some(Severity::CannotStart)
    }

    pub(super) fn print(&self, format: Format) -> Result<()> {
        if format == Format::Json {
            return output::line(serde_json::to_string_pretty(self)?);
        }
        let row = |name: &str, value: &dyn std::fmt::Display| output::line(format_args!("{name:<16}{value}"));
        let kind = if self.is_confidential {
            "confidential"
        } else {
            "plain"
        };
        row("image", &format!("{} ({kind})", self.image))?;
        row("runs", &format!("{:?}", self.args))?;
        if !self.starts.is_empty() {
            row("starts", &self.starts.join(", by "))?;
        }
        if let Some(resources) = &self.resources {
            let loaded = match resources.loaded {
                0 => String::new(),
                loaded => format!("; the first program takes {} when it is loaded", ByteSize(loaded)),
            };
            row("memory", &format!("{}{loaded}", ByteSize(resources.memory)))?;
            row("threads", &resources.threads)?;
            row("addresses", &ByteSize(resources.addresses))?;
        }
        row("system calls", &self.call_sites)?;
        let shown = |file: &&File| {
            format == Format::Long || file.is_started || file.trapping > 0 || file.unproven > 0
        };
        for file in self.files.iter().filter(shown) {
            row("file", file)?;
        }
        self.print_findings()
    }

    /// Findings that say the same of several files are one.
    fn print_findings(&self) -> Result<()> {
        const SHOWN: usize = 3;
        let mut rest: &[Finding] = &self.findings;
        while let Some(first) = rest.first() {
            let same = rest.partition_point(|other| {
                (other.severity, &other.problem, &other.advice)
                    <= (first.severity, &first.problem, &first.advice)
            });
            let (group, behind) = rest.split_at(same.max(1));
            rest = behind;
            let subjects: Vec<_> = group
                .iter()
                .take(SHOWN)
                .map(|finding| finding.subject.as_str())
                .collect();
            let more = match group.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            output::line("")?;
            output::line(format_args!(
                "{}: {}{more}: {}",
                first.severity,
                subjects.join(", "),
                first.problem
            ))?;
            output::line(format_args!("    {}", first.advice))?;
        }
        Ok(())
    }
}

impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.linkage)?;
        if let Some(interpreter) = &self.interpreter {
            write!(f, " ({interpreter})")?;
        }
        if self.patched + self.trapping + self.unproven > 0 {
            write!(
                f,
                "; system calls: {} replaced, {} trap, {} left alone",
                self.patched, self.trapping, self.unproven
            )?;
        }
        Ok(())
    }
}
