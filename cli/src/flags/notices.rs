//! The flag that leaves out what a command tells its user beside its result.

use std::fmt::Display;

use clap::Args;

/// Whether notices are wanted.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Notices {
    /// Print the result and errors alone, no notices
    #[arg(short, long)]
    quiet: bool,
}

impl Notices {
    /// Tells the user something that is no failure.
    pub fn say(self, notice: impl Display) {
        if !self.quiet {
            eprintln!("nacre: {notice}");
        }
    }

    /// Whether progress is shown.
    pub const fn are_wanted(self) -> bool {
        !self.quiet
    }
}
