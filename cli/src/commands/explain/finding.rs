//! One thing that a user should know before an image runs.

use std::fmt;

use serde::Serialize;

/// How bad it is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Severity {
    /// The container does not start.
    CannotStart,
    /// Another program of the image cannot run.
    CannotRun,
    /// A program may fail, or do without something.
    MayFail,
    /// Something is otherwise than with a container engine.
    Note,
}

/// What was found, about what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// A path in the image, or the name of a setting or a system call.
    pub(super) subject: String,
    pub(super) problem: String,
    pub(super) advice: String,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        subject: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            subject: subject.into(),
            problem: problem.into(),
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CannotStart => "CANNOT START",
            Self::CannotRun => "cannot run",
            Self::MayFail => "may fail",
            Self::Note => "note",
        })
    }
}
