//! `cargo xtask check-features`: the smaller builds of `nacre` compile, and leave out what they should.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::shell;

/// A build with one feature, and the crates that it must not contain.
const BUILDS: [(&str, &[&str]); 2] = [
    (
        "verify",
        &[
            "attestation-service",
            "enclave-payload",
            "host-runtime",
            "image-convert",
            "sgx-platform",
            "sgx-sign",
            "simulated-platform",
        ],
    ),
    (
        "convert",
        &[
            "attestation-service",
            "collateral-cache",
            "host-runtime",
            "sgx-platform",
            "simulated-platform",
        ],
    ),
];

/// Checks each build.
///
/// # Errors
/// When a build contains too much, or does not pass clippy.
pub fn run() -> Result<()> {
    for (feature, left_out) in BUILDS {
        let selection = [
            "--locked",
            "--package",
            "nacre",
            "--no-default-features",
            "--features",
            feature,
        ];
        let mut tree = shell::cargo();
        tree.arg("tree").args(selection);
        tree.args(["--edges", "normal,build", "--prefix", "none", "--no-dedupe"]);
        let tree = shell::output(&mut tree)?;
        let lines = tree.lines().map(str::split_whitespace);
        // Name and version.
        let crates: BTreeSet<_> = lines
            .filter_map(|mut words| Some((words.next()?, words.next()?)))
            .collect();
        for name in left_out {
            ensure!(
                !crates.iter().any(|(found, _)| found == name),
                "nacre with the feature `{feature}` alone contains {name} (`cargo tree -i {name}` with the same \
                 options says why)"
            );
        }
        let mut clippy = shell::cargo();
        clippy.arg("clippy").args(selection);
        shell::run(clippy.args(["--all-targets", "--", "-D", "warnings"]))?;
        println!("check-features: `{feature}` alone is {} crates", crates.len());
    }
    Ok(())
}
