//! The system packages that the tests use.

use std::process::Command;

use anyhow::Result;

use crate::shell;

/// Package, and what cannot be tested without it.
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "the guests, which are C programs"),
    ("libc6-dev", "the guests, which are C programs"),
    ("musl-tools", "guests linked against musl"),
    ("golang-go", "the image with a Go program"),
    ("gettext-base", "shell scripts that fill in templates"),
    ("mmdebstrap", "images made from Debian packages"),
    ("mariadb-client-core", "the MariaDB image, whose client this is"),
    ("libfcgi-bin", "PHP's FastCGI server, which its client talks to"),
    ("postgresql", "the PostgreSQL image, whose clients these are"),
    ("procps", "that its tools show the enclave's processes"),
    ("psmisc", "that its tools show the enclave's processes"),
    ("lsof", "that it shows the enclave's open files"),
    ("redis-tools", "the Redis image, whose client this is"),
    ("cryptsetup-bin", "that veritysetup accepts our hash trees"),
    (
        "python3-cryptography",
        "that OpenSSL decrypts our encrypted file systems",
    ),
    ("erofs-utils", "that fsck.erofs accepts our file systems"),
    ("bzip2", "layers that it has packed"),
    ("xz-utils", "layers that it has packed"),
    ("strace", "that --trace names flags as it does"),
    ("skopeo", "that skopeo accepts our images"),
    ("docker-registry", "that our images pass through a registry"),
    ("podman", "that podman copies our images"),
    ("buildah", "that images can be built on ours"),
    ("umoci", "that umoci can add layers to our images"),
    (
        "python3-venv",
        "Microsoft's client of our attestation service, and images with PyPI's packages",
    ),
    (
        "iproute2",
        "programs that run on both sides, each with a network of its own",
    ),
    ("qemu-system-x86", "that Linux mounts our encrypted file systems"),
    ("busybox-static", "that Linux mounts our encrypted file systems"),
    ("kmod", "that Linux mounts our encrypted file systems"),
    ("cpio", "that Linux mounts our encrypted file systems"),
    ("softhsm2", "keys that stay in a PKCS #11 token"),
    (
        "openssl",
        "that OpenSSL accepts our keys, signatures and certificates",
    ),
];

/// Installs what is missing, when it may; otherwise says what cannot be tested.
///
/// # Errors
/// When apt-get fails: then the network or the machine's sources need attention.
pub fn provide() -> Result<()> {
    let missing: Vec<_> = PACKAGES
        .iter()
        .filter(|(package, _)| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|(package, _)| *package);
    if !shell::is_installed("apt-get") || !is_root()? {
        println!(
            "These packages are missing, so their tests will fail. As root, `cargo xtask test` installs them:"
        );
        missing
            .iter()
            .for_each(|(package, purpose)| println!("  {package}: {purpose}"));
        return Ok(());
    }
    println!("Installing {}", names.clone().collect::<Vec<_>>().join(" "));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    shell::run(apt().arg("update"))?;
    shell::run(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(names),
    )
}

fn is_installed(package: &str) -> bool {
    let query = Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status}", package])
        .output();
    query.is_ok_and(|output| output.stdout == b"installed")
}

fn is_root() -> Result<bool> {
    Ok(shell::output(Command::new("id").arg("-u"))?.trim() == "0")
}
