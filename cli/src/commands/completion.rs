//! `nacre completion`: prints completions for a shell.

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::output;

/// Print completions for a shell
///
/// For bash: nacre completion bash > ~/.local/share/bash-completion/completions/nacre
#[derive(Args, Debug)]
pub struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub fn run(self, mut nacre: Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut nacre, "nacre", &mut script);
        output::bytes(&script)
    }
}
