//! `nacre simulated-platform`: exports what verifiers need for this user's simulated platform.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use dcap_quote::Tee;
use host_runtime::Seed;
use tempfile::NamedTempFile;

/// Export what verifies the quotes of enclaves in the emulator
#[derive(Args, Debug)]
pub struct SimulatedPlatform {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Export(Export),
}

/// Write the root certificate and fresh collateral of this user's simulated platform
///
/// The platform is kept in $XDG_STATE_HOME/nacre/simulated-platform, or below ~/.local/state. Its collateral is valid for
/// thirty days after the export. A simulated platform protects nothing.
#[derive(Args, Debug)]
struct Export {
    /// Where to write `root.pem` (for --dangerous-trust-simulated) and `collateral.json`; the directory is made if it does
    /// not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl SimulatedPlatform {
    pub fn run(self) -> Result<()> {
        let What::Export(export) = self.what;
        export.run()
    }
}

impl Export {
    fn run(self) -> Result<()> {
        let path = Seed::default_path()
            .context("there is no home directory for the simulated platform; set XDG_STATE_HOME")?;
        let platform = Seed::load_or_make(&path)?.platform();
        fs::create_dir_all(&self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        let (root, collateral) = (self.dir.join("root.pem"), self.dir.join("collateral.json"));
        let certificate = platform.root_certificate();
        if let Ok(other) = fs::read(&root) {
            ensure!(
                other == certificate.as_bytes(),
                "{} is the root of another platform: export to another directory, or remove this file",
                root.display()
            );
        }
        let json = serde_json::to_string_pretty(&platform.collateral(Tee::Sgx))? + "\n";
        replace(&collateral, &json)?;
        replace(&root, &certificate)?;
        eprintln!(
            "nacre: wrote {} and {}; a verifier that trusts this root trusts everything that this machine claims",
            root.display(),
            collateral.display()
        );
        Ok(())
    }
}

/// Writes a file that others may be reading.
fn replace(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        // As any other file, and not as a temporary one.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
