//! A progress bar on standard error, if that is a terminal.

use std::io::IsTerminal;

use crate::flags::notices::Notices;
use image_convert::{Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a conversion is.
pub struct ProgressLine(Option<ProgressBar>);

impl ProgressLine {
    pub fn new() -> Self {
        Self(std::io::stderr().is_terminal().then(ProgressBar::hidden))
    }

    /// Shows nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// A bar if the user wants to be told things.
    pub fn unless_quiet(notices: Notices) -> Self {
        if notices.are_wanted() {
            Self::new()
        } else {
            Self::none()
        }
    }
}

impl ProgressLine {
    /// How much of an image has come or gone.
    pub fn transfer(&mut self, what: &'static str, done: u64, total: u64) {
        let Some(bar) = &mut self.0 else { return };
        if bar.length() != Some(total) || bar.message() != what {
            self.show(what, total);
        }
        self.at(done);
    }

    fn show(&mut self, what: &'static str, total: u64) {
        let Some(bar) = &mut self.0 else { return };
        bar.finish_and_clear();
        *bar = ProgressBar::new(total).with_message(what);
        let style = ProgressStyle::with_template("{msg:>24} {wide_bar} {bytes:>10}/{total_bytes} {eta:>4}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }
}

impl Progress for ProgressLine {
    fn begin(&mut self, stage: Stage, total: u64) {
        let what = match stage {
            Stage::Layers => "reading layers",
            Stage::CallSites => "finding system calls",
            Stage::RootFs => "writing root file system",
            Stage::Image => "writing image",
        };
        self.show(what, total);
    }

    fn at(&mut self, position: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
