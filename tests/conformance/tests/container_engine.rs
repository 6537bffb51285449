//! A confidential image as a container engine runs it: its five files in a directory, `nacre-host` as the process.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Guest, Linkage, Outcome, archive, nacre};
use tempfile::TempDir;

/// The `/nacre` of a converted guest.
struct Unpacked(TempDir);

impl Unpacked {
    fn new(guest: &str, flags: &[&str]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), guest, flags)
    }

    /// In this directory, from which the conversion runs.
    fn within(dir: TempDir, guest: &str, flags: &[&str]) -> Self {
        let guests = Guest::all().unwrap();
        let guest = guests
            .iter()
            .find(|one| one.name == guest && one.linkage == Linkage::Dynamic)
            .unwrap();
        let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let plain = guest.image(&program).unwrap();
        let image = dir.path().join("image.tar");
        let mut convert = Command::new(nacre().unwrap());
        convert
            .current_dir(dir.path())
            .arg("convert")
            .arg(format!("docker-archive:{}", plain.display()))
            .arg(format!("oci-archive:{}", image.display()))
            .args(flags);
        let outcome = Outcome::of(convert, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");

        archive::unpack_layer(&image, dir.path()).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("nacre").join(name)
    }

    fn host(&self) -> Command {
        self.host_with(&[])
    }

    fn host_with(&self, options: &[&str]) -> Command {
        let mut command = Command::new(self.file("nacre-host"));
        command.current_dir(self.0.path()).args(options);
        for (flag, name) in [
            ("--sgxs", "enclave.sgxs"),
            ("--sig", "enclave.sig"),
            ("--config", "enclave.config"),
            ("--rootfs", "rootfs.img"),
        ] {
            command.arg(flag).arg(self.file(name));
        }
        command.arg("--").env_clear();
        command
    }
}

fn environment(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stdout.lines();
    lines.filter_map(|line| line.strip_prefix("environ: ")).collect()
}

const MEASURED: [&str; 4] = ["COLOUR=blue", "EMPTY=", "HOME=/root", "PATH=/usr/bin:/bin"];

#[test]
fn variables_that_the_image_allows_are_passed_on() {
    let image = Unpacked::new("arguments", &["--allow-env", "COLOUR", "--allow-env", "TZ"]);
    let mut host = image.host();
    host.envs([
        ("COLOUR", "green"),
        ("PATH", "/evil"),
        ("LD_PRELOAD", "/evil.so"),
        ("HOSTNAME", "x"),
    ]);
    let outcome = Outcome::of(host, b"").unwrap();
    assert_eq!(
        environment(&outcome),
        ["COLOUR=green", "EMPTY=", "HOME=/root", "PATH=/usr/bin:/bin"],
        "{outcome}"
    );
    // Not a word about the others: nobody knows who set them.
    assert!(!outcome.stderr.contains("LD_PRELOAD"), "{outcome}");

    let outcome = Outcome::of(image.host(), b"").unwrap();
    assert_eq!(environment(&outcome), MEASURED, "{outcome}");
    assert_eq!(outcome.status, 0, "{outcome}");
}

#[test]
fn arguments_are_refused_unless_the_image_allows_them() {
    let image = Unpacked::new("arguments", &[]);
    let mut host = image.host();
    host.arg("--help");
    let outcome = Outcome::of(host, b"").unwrap();
    assert!(
        outcome.status == 125 && outcome.stderr.contains("--allow-args"),
        "{outcome}"
    );

    let image = Unpacked::new("arguments", &["--allow-args"]);
    let mut host = image.host();
    host.args(["--help", "two", "three"]);
    let outcome = Outcome::of(host, b"").unwrap();
    assert!(
        outcome.stdout.contains("argv[1] = --help\n") && outcome.status == 0,
        "{outcome}"
    );
}

#[test]
fn another_configuration_beside_the_enclave_is_refused() {
    let image = Unpacked::new("arguments", &["--allow-env", "COLOUR"]);
    let path = image.file("enclave.config");
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    let at = whole.windows(6).rposition(|bytes| bytes == b"COLOUR").unwrap();
    changed[at] = b'D';
    for (content, words) in [
        (Some(changed), "differs"),
        (Some(Vec::new()), "differs"),
        (None, "No such file"),
    ] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let outcome = Outcome::of(image.host(), b"").unwrap();
        assert_eq!((outcome.status, outcome.stdout.as_str()), (125, ""), "{outcome}");
        assert!(
            outcome.stderr.contains("enclave.config") && outcome.stderr.contains(words),
            "{outcome}"
        );
    }
}

#[test]
fn what_a_user_of_a_container_gives_in_vain_is_said() {
    let may_unshare = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output();
    if !may_unshare.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine does not let its users make mount namespaces");
        return;
    }
    let image = Unpacked::new("arguments", &[]);
    for name in ["proc", "dev", "data", "state"] {
        fs::create_dir(image.0.path().join(name)).unwrap();
    }
    let run = |mounts: &str| {
        let script = format!(
            "cd \"$1\" && mount --rbind /proc proc && mount --rbind /dev dev && {mounts} exec chroot . /nacre/nacre-host --"
        );
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
            .arg(image.0.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs([("XDG_STATE_HOME", "/state"), ("COLOUR", "green")]);
        Outcome::of(command, b"").unwrap()
    };
    let outcome = run("mount -t tmpfs none data &&");
    assert!(outcome.stderr.contains("mounted at /data:"), "{outcome}");
    // A variable of the image's with another value is what the user of the container has given.
    assert!(outcome.stderr.contains("nacre: ignored: COLOUR, "), "{outcome}");
    assert!(outcome.stderr.contains("--allow-env COLOUR"), "{outcome}");
    assert_eq!(
        (outcome.status, environment(&outcome)),
        (0, MEASURED.to_vec()),
        "{outcome}"
    );
    let outcome = run("");
    assert!(!outcome.stderr.contains("mounted"), "{outcome}");
    assert_eq!(outcome.status, 0, "{outcome}");
}

/// Nobody is asked here: `provisioning` has brokers.
#[test]
fn a_variable_says_where_the_broker_is() {
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/authority.pem");
    let image = Unpacked::new("arguments", &["--broker-ca", authority.to_str().unwrap()]);
    let init = image.file("nacre-init");
    let run = |url: Option<&str>| {
        let mut command = image.host_with(&["--init", init.to_str().unwrap()]);
        command.env_remove("NACRE_BROKER");
        command.envs(url.map(|url| ("NACRE_BROKER", url)));
        Outcome::of(command, b"").unwrap()
    };
    let outcome = run(Some("nowhere"));
    assert!(
        outcome.stderr.contains("nacre-init: nowhere is not https://"),
        "{outcome}"
    );
    assert_eq!(outcome.status, 125, "{outcome}");
    let outcome = run(None);
    assert!(outcome.stderr.contains("NACRE_BROKER=URL"), "{outcome}");
    assert_eq!(outcome.status, 125, "{outcome}");
}

#[test]
fn a_signal_that_ends_the_container_is_named_on_the_host_s_side() {
    let image = Unpacked::new("death_in_function", &[]);
    let outcome = Outcome::of(image.host(), b"").unwrap();
    let line = "nacre: guest was killed by signal 11: convert with --debug for a report";
    assert!(outcome.stderr.lines().any(|found| found == line), "{outcome}");
    assert_eq!(outcome.status, 139, "{outcome}");
}

#[test]
fn a_first_process_ends_by_the_signal_that_stops_it() {
    // As a container's first process it gets no signal that it does not ask for, and cannot kill itself by one.
    let may_unshare = Command::new("unshare")
        .args(["--user", "--pid", "--fork", "true"])
        .output();
    if !may_unshare.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine does not let its users make PID namespaces");
        return;
    }
    let image = Unpacked::new("standard_input", &[]);
    let host = image.host();
    let mut child = Command::new("unshare")
        .args(["--user", "--pid", "--fork", "--kill-child"])
        .arg(host.get_program())
        .args(host.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    // It waits for input; its first process is the child of `unshare`.
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let first = loop {
        let first = fs::read_to_string(&children).unwrap();
        if let Some(first) = first.split_whitespace().next() {
            break first.to_owned();
        }
        assert!(Instant::now() < deadline, "it does not start");
        std::thread::sleep(Duration::from_millis(5));
    };
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it waits for input");
    assert!(
        Command::new("kill")
            .args(["-TERM", &first])
            .status()
            .unwrap()
            .success()
    );
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(128 + 15));
}

#[test]
fn an_encrypted_image_runs_with_its_key_only() {
    let image = Unpacked::new("arguments", &["--encrypt", "--image-key", "image.key"]);
    let run = |options: &[&str]| Outcome::of(image.host_with(options), b"").unwrap();
    let outcome = run(&["--image-key", "image.key"]);
    assert_eq!(environment(&outcome), MEASURED, "{outcome}");
    assert_eq!(outcome.status, 0, "{outcome}");

    // The host runtime does not ask whether the key is right: it is the enclave that refuses.
    fs::write(image.0.path().join("other.key"), (0..64).collect::<Vec<u8>>()).unwrap();
    for (options, words) in [
        (&[][..], "give its key with --image-key"),
        (&["--image-key", "other.key"], "encrypted with another key"),
        (&["--image-key", "none.key"], "cannot read none.key: No such file"),
        (&["--image-key", "nacre/enclave.sig"], "64 bytes"),
    ] {
        let outcome = run(options);
        assert!(outcome.stderr.contains(words), "{options:?}: {outcome}");
        assert_eq!(outcome.status, 125, "{options:?}: {outcome}");
    }
    let plain = Unpacked::new("arguments", &[]);
    fs::copy(image.0.path().join("image.key"), plain.0.path().join("image.key")).unwrap();
    let outcome = Outcome::of(plain.host_with(&["--image-key", "image.key"]), b"").unwrap();
    assert!(outcome.stderr.contains("not encrypted"), "{outcome}");
}

#[test]
fn the_key_is_found_where_engines_put_secrets() {
    let image = Unpacked::new("arguments", &["--encrypt", "--image-key", "image.key"]);
    let host = image.host();
    // A namespace of its own has the file where a container has it.
    let prepare =
        "mount -t tmpfs none /run && mkdir /run/secrets && cp image.key /run/secrets/nacre-image-key";
    let mut inside = Command::new("unshare");
    inside
        .current_dir(image.0.path())
        .args(["-rm", "sh", "-c", &format!("{prepare} && exec \"$@\""), "sh"])
        .arg(host.get_program())
        .args(host.get_args());
    let outcome = Outcome::of(inside, b"").unwrap();
    assert!(outcome.stdout.contains("argv[0] = "), "{outcome}");
    assert_eq!(outcome.status, 0, "{outcome}");
}

#[test]
fn a_changed_block_of_an_encrypted_image_is_found() {
    let image = Unpacked::new("arguments", &["--encrypt", "--image-key", "image.key"]);
    let rootfs = image.file("rootfs.img");
    let mut bytes = fs::read(&rootfs).unwrap();
    for at in [0, bytes.len() / 3, bytes.len() - 1] {
        bytes[at] ^= 1;
    }
    fs::write(&rootfs, bytes).unwrap();
    let outcome = Outcome::of(image.host_with(&["--image-key", "image.key"]), b"").unwrap();
    assert_eq!(outcome.status, 125, "{outcome}");
    assert!(
        outcome.stderr.contains("not the one that was measured"),
        "{outcome}"
    );
}
