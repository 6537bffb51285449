//! `cargo xtask check-deps`: the referee of the direction of trust.
//!
//! It reads `cargo metadata` and knows four rules:
//! 1. a crate depends only on crates of the layers that its own layer may see;
//! 2. whatever ends up in the trusted base from elsewhere is listed in `trusted-dependencies.toml` with a reason,
//!    also what comes in through something else, and is taken without its default features;
//! 3. `unsafe` is forbidden but in the crates that must have it;
//! 4. crates of the trusted base do not use `std`.
//!
//! Dev-dependencies are free: they reach no product.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};
use serde::Deserialize;

use crate::shell;

/// Layer, and the layers that it may depend on. A layer is a folder at the root of the workspace.
const LAYERS: &[(&str, &[&str])] = &[
    ("abi", &["abi"]),
    // Verifies what enclaves prove, on whatever machine.
    ("attest", &["abi", "attest"]),
    ("enclave", &["abi", "enclave"]),
    // The simulated platform that makes quotes of emulated enclaves.
    ("host", &["abi", "attest", "host"]),
    ("image", &["abi", "image"]),
    // Trusted programs of the project's own that run on the LibOS, with std: what is above the system calls.
    ("guest", &["abi", "attest", "guest"]),
    // Programs that run on a server.
    ("services", &["abi", "attest", "services"]),
    // What runs in Kubernetes clusters, outside of enclaves: it is not trusted with a secret.
    ("cluster", &["attest", "services", "cluster"]),
    // What users would write.
    ("examples", &["attest", "services"]),
    ("cli", &["abi", "attest", "host", "image", "services"]),
    // The fuzz targets call the readers in the enclave directly.
    ("tests", EVERYTHING_ELSE),
    ("xtask", EVERYTHING_ELSE),
];

/// What tests and the project's own tasks may look into.
const EVERYTHING_ELSE: &[&str] = &[
    "abi", "attest", "cluster", "enclave", "guest", "host", "image", "services", "tests",
];

/// Layers in which a mistake is a breach.
const TRUSTED: &[&str] = &["abi", "enclave"];

/// The product of the enclave layer: bytes to measure, never a library.
const ENCLAVE_IMAGE: &str = "enclave-image";

/// The crates whose work cannot be done without `unsafe`.
const UNSAFE: &[&str] = &[
    "enclave-rt",
    "enclave-image",
    "sgx-platform",
    "host-runtime",
    "verity-digest",
];

/// Checks all rules.
///
/// # Errors
/// With every violation, one a line.
pub fn run() -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(shell::workspace())
        .other_options(vec!["--locked".to_owned()])
        .exec()?;
    let listed = TrustedDependencies::load()?;
    let mut violations = Vec::new();
    for package in metadata.workspace_packages() {
        violations.extend(layer_violations(&metadata, package)?);
        violations.extend(source_violations(&metadata, package)?);
    }
    violations.extend(trusted_violations(&metadata, &listed)?);
    if violations.is_empty() {
        println!(
            "check-deps: {} crates follow the direction of trust",
            metadata.workspace_packages().len()
        );
        return Ok(());
    }
    bail!("the direction of trust is broken:\n  {}", violations.join("\n  "))
}

/// The folder at the workspace's root that a package lives in; none for packages from elsewhere.
fn layer<'a>(metadata: &'a Metadata, package: &'a Package) -> Option<&'a str> {
    package
        .manifest_path
        .strip_prefix(&metadata.workspace_root)
        .ok()?
        .iter()
        .next()
}

/// Rule 1.
fn layer_violations(metadata: &Metadata, package: &Package) -> Result<Vec<String>> {
    let own = layer(metadata, package).context("a workspace member outside the workspace")?;
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == own) else {
        return Ok(vec![format!(
            "{}: no rule for the folder {own}; add it to LAYERS",
            package.name
        )]);
    };
    let mut violations = Vec::new();
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
    {
        let Some(path) = &dependency.path else { continue };
        let target = path
            .strip_prefix(&metadata.workspace_root)
            .ok()
            .and_then(|path| path.iter().next());
        let target = target.with_context(|| format!("{} is outside the workspace", dependency.name))?;
        if !allowed.contains(&target) || dependency.name == ENCLAVE_IMAGE {
            violations.push(format!(
                "{own}/{} must not depend on {target}/{}",
                package.name, dependency.name
            ));
        }
    }
    Ok(violations)
}

/// Rules 3 and 4, in the root file of each library and binary.
fn source_violations(metadata: &Metadata, package: &Package) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let trusted = layer(metadata, package).is_some_and(|layer| TRUSTED.contains(&layer));
    for target in &package.targets {
        if !target
            .kind
            .iter()
            .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin))
        {
            continue;
        }
        let source = fs::read_to_string(&target.src_path).with_context(|| target.src_path.to_string())?;
        if !source.contains("#![forbid(unsafe_code)]") && !UNSAFE.contains(&package.name.as_str()) {
            violations.push(format!("{} lacks #![forbid(unsafe_code)]", target.src_path));
        }
        if trusted && !source.contains("no_std") {
            violations.push(format!("{} uses std in the trusted base", target.src_path));
        }
    }
    Ok(violations)
}

/// Rule 2.
fn trusted_violations(metadata: &Metadata, listed: &TrustedDependencies) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let is_trusted =
        |package: &Package| layer(metadata, package).is_some_and(|layer| TRUSTED.contains(&layer));
    let trusted: Vec<&Package> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| is_trusted(package))
        .collect();
    for package in &trusted {
        for dependency in &package.dependencies {
            if dependency.path.is_none()
                && dependency.kind != DependencyKind::Development
                && dependency.uses_default_features
            {
                violations.push(format!(
                    "{}: {} needs `default-features = false`",
                    package.name, dependency.name
                ));
            }
        }
    }
    let foreign = foreign_crates(&trusted)?;
    for name in &foreign {
        if !listed.dependency.iter().any(|entry| entry.name == *name) {
            violations.push(format!(
                "{name} is in the trusted base, but not in {LIST} (`cargo tree -i {name}` says why)"
            ));
        }
    }
    for entry in listed
        .dependency
        .iter()
        .filter(|entry| !foreign.contains(&entry.name))
    {
        violations.push(format!(
            "{} is in {LIST}, but not in the trusted base any more",
            entry.name
        ));
    }
    Ok(violations)
}

/// What these crates are built from that is not ours. `cargo tree` rather than the metadata: it turns on only the
/// features that these crates ask for, where the metadata mixes in what the tools ask for.
fn foreign_crates(trusted: &[&Package]) -> Result<BTreeSet<String>> {
    let mut command = shell::cargo();
    command.args([
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ]);
    command.args(["--target", "x86_64-unknown-linux-gnu"]);
    for package in trusted {
        command.args(["--package", package.name.as_str()]);
    }
    let tree = shell::output(&mut command)?;
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names
        .filter(|name| !trusted.iter().any(|package| package.name.as_str() == *name))
        .map(str::to_owned)
        .collect())
}

const LIST: &str = "xtask/trusted-dependencies.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustedDependencies {
    #[serde(default)]
    dependency: Vec<TrustedDependency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustedDependency {
    name: String,
    /// Never read, always written.
    #[serde(rename = "reason")]
    _reason: String,
}

impl TrustedDependencies {
    fn load() -> Result<Self> {
        let path = shell::workspace().join(LIST);
        toml::from_str(&fs::read_to_string(path).context(LIST)?).context(LIST)
    }
}
