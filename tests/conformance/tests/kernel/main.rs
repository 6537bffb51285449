//! Linux itself mounts what we encrypt: dm-verity, dm-crypt and EROFS of Debian's kernel, in a virtual machine, by the commands of
//! docs/encrypted-images.md.
//!
//! The machine is QEMU's without KVM, so that it runs where the device mapper and /dev/kvm are not to be had.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Guest, Linkage, Outcome, archive, nacre};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// What names the newest kernel of Debian for virtual machines.
const KERNEL: &str = "linux-image-cloud-amd64";
const MODULES: [&str; 7] = [
    "loop",
    "dm-verity",
    "dm-crypt",
    "xts",
    "ecb",
    "libcrc32c",
    "erofs",
];
const PROGRAMS: [&str; 2] = ["/usr/sbin/cryptsetup", "/usr/sbin/veritysetup"];

fn run<S: AsRef<OsStr>>(directory: &Path, program: &str, args: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new(program);
    command.current_dir(directory).args(args).env("LC_ALL", "C");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Debian's kernel with its modules, unpacked; nothing of it is installed.
fn kernel(directory: &Path) -> (PathBuf, String) {
    let depends = run(directory, "apt-cache", ["depends", KERNEL]);
    let package = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "));
    let package = package.unwrap_or_else(|| panic!("{depends}"));
    let version = package.strip_prefix("linux-image-").unwrap().to_owned();
    run(directory, "apt-get", ["download", "-qq", package]);
    let mut archives = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let archive = archives
        .find(|path| path.extension() == Some(OsStr::new("deb")))
        .unwrap();
    let root = directory.join("kernel");
    run(
        directory,
        "dpkg-deb",
        ["-x".as_ref(), archive.as_os_str(), root.as_os_str()],
    );
    run(
        directory,
        "depmod",
        ["-b".as_ref(), root.as_os_str(), version.as_ref()],
    );
    (root, version)
}

/// Copies a file to the same place below another root.
fn copy(from: &Path, root: &Path, place: &Path) {
    let to = root.join(place.strip_prefix("/").unwrap_or(place));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// The file system that the machine starts with.
fn initial(root: &Path, kernel: &Path, version: &str) {
    for directory in ["bin", "dev", "proc", "mnt", "run"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    copy(Path::new("/bin/busybox"), root, Path::new("bin/busybox"));
    for program in PROGRAMS {
        let name = Path::new("bin").join(Path::new(program).file_name().unwrap());
        copy(Path::new(program), root, &name);
        let libraries = run(root, "ldd", [program]);
        for path in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            copy(Path::new(path), root, Path::new(path));
        }
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for module in MODULES {
        let base = kernel.as_os_str();
        let args = [
            "-d".as_ref(),
            base,
            "-S".as_ref(),
            version.as_ref(),
            "--show-depends".as_ref(),
            module.as_ref(),
        ];
        let lines = run(root, "modprobe", args);
        files.extend(
            lines
                .lines()
                .filter_map(|line| line.strip_prefix("insmod ")?.split(' ').next().map(PathBuf::from)),
        );
    }
    let indexes = kernel.join("lib/modules").join(version);
    let names = [
        "modules.dep",
        "modules.alias",
        "modules.softdep",
        "modules.symbols",
    ];
    files.extend(names.map(|name| indexes.join(name)));
    for file in files {
        let place = file.strip_prefix(kernel).unwrap_or(&file).to_owned();
        copy(&kernel.join(&place), root, &place);
    }
}

/// An encrypted image of one program: its parts, unpacked, and the program's digest.
struct Encrypted {
    dir: TempDir,
    rootfs_hash: String,
    digest: String,
}

impl Encrypted {
    fn new() -> Self {
        let guests = Guest::all().unwrap();
        let guest = guests
            .iter()
            .find(|one| one.name == "hello" && one.linkage == Linkage::Static)
            .unwrap();
        let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let plain = guest.image(&program).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let nacre = |args: &[&str]| {
            let mut command = Command::new(nacre().unwrap());
            command.current_dir(dir.path()).args(args);
            let outcome = Outcome::of(command, b"").unwrap();
            assert_eq!(outcome.status, 0, "{outcome}");
            outcome.stdout
        };
        let source = format!("docker-archive:{}", plain.display());
        nacre(&[
            "convert",
            "--encrypt",
            "--image-key",
            "image.key",
            &source,
            "oci-archive:image.tar",
        ]);
        let report: Value =
            serde_json::from_str(&nacre(&["inspect", "--json", "oci-archive:image.tar"])).unwrap();
        let rootfs_hash = report["configuration"]["rootfs_hash"]
            .as_str()
            .unwrap()
            .to_owned();
        archive::unpack_layer(&dir.path().join("image.tar"), dir.path()).unwrap();
        let digest = Sha256::digest(fs::read(&program).unwrap());
        Self {
            rootfs_hash,
            digest: archive::hex(&digest),
            dir,
        }
    }
}

#[test]
fn linux_verifies_decrypts_and_mounts_an_encrypted_image() {
    let image = Encrypted::new();
    let directory = image.dir.path();
    let (kernel, version) = kernel(directory);
    let root = directory.join("initial");
    initial(&root, &kernel, &version);
    let rootfs = fs::read(directory.join("nacre/rootfs.img")).unwrap();
    let hash_offset = (0..rootfs.len())
        .step_by(4096)
        .find(|at| rootfs[*at..].starts_with(b"verity\0\0"));
    fs::write(root.join("rootfs.img"), &rootfs).unwrap();
    fs::copy(directory.join("image.key"), root.join("image.key")).unwrap();
    let init = include_str!("init.sh")
        .replace("ROOT_HASH", &image.rootfs_hash)
        .replace("HASH_OFFSET", &hash_offset.unwrap().to_string());
    fs::write(root.join("init"), init).unwrap();
    run(&root, "chmod", ["755", "init"]);
    run(
        &root,
        "sh",
        ["-c", "find . | cpio --quiet -o -H newc > ../initial.cpio"],
    );

    let shown = run(
        directory,
        "timeout",
        [
            "120",
            "qemu-system-x86_64",
            "-accel",
            "tcg",
            "-m",
            "512",
            "-nographic",
            "-no-reboot",
            "-nic",
            "none",
            "-kernel",
            &format!("kernel/boot/vmlinuz-{version}"),
            "-initrd",
            "initial.cpio",
            "-append",
            "console=ttyS0 quiet panic=1",
        ],
    );
    // The console's first line begins with what prepares a terminal.
    let has = |line: &str| shown.lines().any(|shown| shown.trim_end().ends_with(line));
    assert!(has(&format!("kernel: {version}")), "{shown}");
    assert!(has("found: ./guest"), "{shown}");
    assert!(has(&format!("digest: {}  guest", image.digest)), "{shown}");
}
