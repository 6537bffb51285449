//! Builds the binaries by a cargo of their own, because they are compiled unlike everything else: the enclave
//! freestanding, with the processor features that its measured code may rely on, the host runtime and `nacre-init` as static
//! binaries that run in any image.
//!
//! The same commit must give the same bytes in any directory and any user's environment, or MRENCLAVE would differ.
//! So the environment is emptied but for what cargo needs to find itself, and paths are remapped.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Given explicitly, so that flags apply to the binaries and not to build scripts that run on this machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What the enclave's code may use without asking CPUID, which would trap on silicon. The host runtime checks at its
/// start that the processor has it. No AVX: the LibOS would have to save the full vector state at each entry.
const ENCLAVE_FEATURES: &str =
    "target-feature=+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cmpxchg16b,+aes,+pclmulqdq,+sha,+rdrand,+rdseed";

/// Variables that cargo needs to find itself and the network; none of them changes what is compiled.
fn is_kept(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "PATH",
        "HOME",
        "TMPDIR",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        // The job server, so that the inner build respects the outer one's `-j`.
        "CARGO_MAKEFLAGS",
    ];
    const PREFIXES: [&str; 5] = [
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    NAMES.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.to_ascii_lowercase().ends_with("_proxy")
}

struct Builder {
    workspace: PathBuf,
    target_dir: PathBuf,
    remapping: Vec<OsString>,
}

impl Builder {
    fn new() -> Self {
        let workspace = directory("CARGO_MANIFEST_DIR")
            .join("../..")
            .canonicalize()
            .expect("the workspace");
        // OUT_DIR is <target>[/<triple>]/<profile>/build/<package>/out.
        let out = directory("OUT_DIR");
        let profile = out
            .ancestors()
            .find(|path| path.ends_with("build"))
            .and_then(Path::parent);
        let target_dir = profile
            .and_then(Path::parent)
            .expect("OUT_DIR lies in a target directory")
            .join("payload");
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = home
            .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
            .expect("cargo's home");
        // The last one that matches is applied.
        let remapping = [
            (&workspace, "/nacre"),
            (&cargo_home, "/cargo"),
            (&sysroot(), "/rust"),
            (&target_dir, "/target"),
        ];
        let remapping = remapping.map(|(from, to)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(from);
            flag.push("=");
            flag.push(to);
            flag
        });
        Self {
            workspace,
            target_dir,
            remapping: remapping.into(),
        }
    }

    /// Builds a binary of a package and returns where it is.
    fn build(
        &self,
        package: &str,
        binary: &str,
        profile: &str,
        features: &[&str],
        flags: &[&str],
    ) -> PathBuf {
        let separator = "\x1f";
        let mut rustflags = OsString::from(flags.join(separator));
        for flag in &self.remapping {
            rustflags.push(separator);
            rustflags.push(flag);
        }
        let kept = env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept));
        let mut cargo = Command::new(env::var_os("CARGO").expect("cargo names itself"));
        cargo
            .env_clear()
            .envs(kept)
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags);
        cargo.current_dir(&self.workspace);
        cargo.args([
            "build",
            "--locked",
            "--package",
            package,
            "--bin",
            binary,
            "--profile",
            profile,
        ]);
        cargo
            .args(["--target", TARGET, "--target-dir"])
            .arg(&self.target_dir);
        cargo.args(["--config", "profile.release.strip='debuginfo'"]);
        if !features.is_empty() {
            cargo.args(["--features", &features.join(",")]);
        }
        let status = cargo.status().expect("cargo starts");
        assert!(
            status.success(),
            "the binary `{binary}` of `{package}` could not be built (see above)"
        );
        self.target_dir.join(TARGET).join(profile).join(binary)
    }
}

fn main() {
    let builder = Builder::new();
    let enclave = builder.build(
        "enclave-image",
        "enclave-image",
        "enclave",
        &["image"],
        // Position-independent code in a fixed place: the place is beyond the reach of 32-bit addresses.
        &[
            "-C",
            ENCLAVE_FEATURES,
            "-C",
            "relocation-model=pic",
            "-C",
            "force-frame-pointers=yes",
            // No fallback without the SHA extensions, and so no CPUID.
            "--cfg",
            "sha2_256_backend=\"x86-sha\"",
        ],
    );
    let host = builder.build(
        "host-runtime",
        "nacre-host",
        "release",
        &[],
        &["-C", "target-feature=+crt-static"],
    );
    let init = builder.build(
        "nacre-init",
        "nacre-init",
        // Each start of a container hashes and copies it: as small as it can be.
        "enclave",
        &[],
        &["-C", "target-feature=+crt-static"],
    );

    let mut digest = Sha256::new();
    for (path, name) in [(enclave, "enclave"), (host, "host"), (init, "init")] {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
        fs::write(directory("OUT_DIR").join(name), bytes).expect("OUT_DIR can be written");
    }
    let hex = base16ct::lower::encode_string(&digest.finalize());
    println!("cargo::rustc-env=NACRE_PAYLOAD_DIGEST={hex}");

    for input in [
        "abi",
        "enclave",
        "guest",
        "attest/provisioning",
        "host",
        "Cargo.toml",
        "Cargo.lock",
        "image/enclave-payload/build.rs",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            builder.workspace.join(input).display()
        );
    }
}

fn directory(variable: &str) -> PathBuf {
    env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} is set by cargo"))
        .into()
}

fn sysroot() -> PathBuf {
    let rustc = env::var_os("RUSTC").expect("RUSTC is set by cargo");
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .expect("rustc starts");
    String::from_utf8(output.stdout)
        .expect("the sysroot is UTF-8")
        .trim_end()
        .into()
}
