//! `nacre simulated-platform`: exports what verifiers need for this user's simulated platform.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use dcap_quote::Tee;
use host_runtime::Seed;
use tempfile::NamedTempFile;

/// The platform that enclaves in the emulator prove to run on; it protects nothing
#[derive(Args, Debug)]
pub struct SimulatedPlatform {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Export(Export),
}

/// Write what verifies this user's simulated quotes: the root certificate and fresh collateral
///
/// The platform is kept in $XDG_STATE_HOME/nacre/simulated-platform, or below ~/.local/state. Its collateral is good for
/// thirty days from the export on.
#[derive(Args, Debug)]
struct Export {
    /// Where `root.pem` (for --dangerous-trust-simulated) and `collateral.json` go; made if it is not there
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
                "{} is the root of another platform: export into another directory, or remove it",
                root.display()
            );
        }
        let json = serde_json::to_string_pretty(&platform.collateral(Tee::Sgx))? + "\n";
        replace(&collateral, &json)?;
        replace(&root, &certificate)?;
        eprintln!(
            "nacre: wrote {} and {}; who trusts this root believes whatever this machine says",
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
