//! `nacre exec`, `nacre top` and `nacre ps`: other commands reach a container that runs, if it may be debugged.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Outcome, Pty, Running, images, nacre};

/// A container that runs under a name, with a directory for sockets of its own.
struct Container {
    _running: Running,
    sockets: tempfile::TempDir,
}

const NAME: &str = "pearl";

fn image() -> PathBuf {
    images::provide(&images::recipe("terminal").unwrap()).unwrap()
}

fn command(sockets: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(nacre().unwrap());
    command.args(words).env("XDG_RUNTIME_DIR", sockets);
    command
}

impl Container {
    fn start(image: &str) -> Self {
        let sockets = tempfile::tempdir().unwrap();
        // Says that it runs, and then becomes a program that waits for ever.
        let program = [
            "bash",
            "-c",
            "echo ready; cat /proc/1/stat >/dev/null; sleep 100000",
        ];
        let mut run = command(sockets.path(), &["run", "--name", NAME, image]);
        let (running, line) = Running::start(run.args(program)).unwrap();
        assert_eq!(line, "ready");
        Self {
            _running: running,
            sockets,
        }
    }

    /// One that was converted without debugging.
    fn without_debugging(folder: &Path) -> Self {
        let target = format!("oci-archive:{}", folder.join("image.tar").display());
        let source = format!("docker-archive:{}", image().display());
        let convert = command(folder, &["convert", "--allow-args", &source, &target]);
        let outcome = Outcome::of(convert, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        Self::start(&target)
    }

    fn plain() -> Self {
        Self::start(&format!("docker-archive:{}", image().display()))
    }

    fn command(&self, words: &[&str]) -> Command {
        command(self.sockets.path(), words)
    }

    fn outcome(&self, words: &[&str], stdin: &[u8]) -> Outcome {
        Outcome::of(self.command(words), stdin).unwrap()
    }
}

#[test]
fn a_program_runs_in_the_container() {
    let container = Container::plain();
    // The shell that says "ready" becomes `sleep` a moment later.
    let script = "until set -- $(tr '\\0' ' ' </proc/1/cmdline); [ \"$1\" = sleep ]; do :; done
        echo \"$*\"; exit 5";
    let outcome = container.outcome(&["exec", NAME, "sh", "-c", script], b"");
    assert_eq!(outcome.stdout, "sleep 100000\n", "{outcome}");
    assert_eq!(outcome.status, 5, "{outcome}");
    let outcome = container.outcome(
        &[
            "exec",
            "-i",
            "-e",
            "WORD=pearl",
            NAME,
            "sh",
            "-c",
            "cat /dev/stdin; echo $WORD",
        ],
        b"typed\n",
    );
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("typed\npearl\n", 0),
        "{outcome}"
    );
    let outcome = container.outcome(&["exec", NAME, "cat"], b"not read");
    assert_eq!((outcome.stdout.as_str(), outcome.status), ("", 0), "{outcome}");
    let outcome = container.outcome(&["exec", NAME, "sh", "-c", "kill -9 $$"], b"");
    assert_eq!(outcome.status, 137, "{outcome}");
    let outcome = container.outcome(&["exec", NAME, "no-such-program"], b"");
    assert_eq!(outcome.status, 127, "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("it is in no directory of the image's PATH"),
        "{outcome}"
    );
    // What it leaves behind belongs to the container's first process.
    let outcome = container.outcome(&["exec", NAME, "sh", "-c", "sleep 100001 >/dev/null 2>&1 &"], b"");
    assert_eq!(outcome.status, 0, "{outcome}");
    let outcome = container.outcome(&["exec", NAME, "ps", "-o", "ppid=,args=", "-C", "sleep"], b"");
    assert!(outcome.stdout.contains("1 sleep 100001"), "{outcome}");
}

#[test]
fn a_program_gets_a_terminal() {
    let container = Container::plain();
    let command = container.command(&["exec", "-it", NAME, "bash", "--norc"]);
    let mut pty = Pty::start(&command, 24, 80).unwrap();
    pty.expect("$ ").unwrap();
    let mut say = |keys: &str, answer: &str| {
        pty.press(keys).unwrap();
        pty.expect(answer).unwrap();
    };
    say("tty; stty size\r", "/dev/pts/0\r\n24 80\r\n");
    say(
        "sh -c 'trap \"echo back\" CONT; echo on; while :; do sleep 0.1; done'\r",
        "\r\non\r\n",
    );
    say("\x1a", "Stopped");
    say("fg\r", "\r\nback\r\n");
    say("\x03", "^C");
    say(
        "sh -c 'trap \"stty size\" WINCH; echo set; while :; do sleep 0.1; done'\r",
        "\r\nset\r\n",
    );
    pty.resize(30, 100).unwrap();
    pty.expect("30 100\r\n").unwrap();
    pty.press("\x03").unwrap();
    pty.expect("$ ").unwrap();
    pty.press("exit 7\r").unwrap();
    let (status, shown) = pty.end().unwrap();
    assert_eq!(status.code(), Some(7), "{shown}");
}

#[test]
fn containers_and_processes_are_listed() {
    let container = Container::plain();
    let outcome = container.outcome(&["ps"], b"");
    assert!(
        outcome
            .stdout
            .lines()
            .any(|line| line.starts_with(NAME) && line.contains(" yes ")),
        "{outcome}"
    );
    let outcome = container.outcome(&["top", NAME], b"");
    assert!(outcome.stdout.contains("sleep 100000\n"), "{outcome}");
    assert!(outcome.stdout.contains(" turns so far"), "{outcome}");
    assert!(
        outcome.stdout.contains(" exits of the enclave so far"),
        "{outcome}"
    );
    let outcome = container.outcome(&["run", "--name", NAME, "docker-archive:/nowhere"], b"");
    assert_eq!(outcome.status, 125, "{outcome}");
    let outcome = container.outcome(&["top", "nobody"], b"");
    assert_eq!(outcome.status, 125, "{outcome}");
    assert!(
        outcome.stderr.contains("no container called nobody runs"),
        "{outcome}"
    );
    let Container { sockets, _running } = container;
    drop(_running);
    let outcome = Outcome::of(command(sockets.path(), &["ps"]), b"").unwrap();
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
}

#[test]
fn an_enclave_without_debugging_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let container = Container::without_debugging(folder.path());
    let outcome = container.outcome(&["ps"], b"");
    assert!(outcome.stdout.contains(" no "), "{outcome}");
    for words in [&["exec", NAME, "true"][..], &["top", NAME]] {
        let outcome = container.outcome(words, b"");
        assert_ne!(outcome.status, 0, "{outcome}");
        assert!(outcome.stderr.contains("converted without --debug"), "{outcome}");
    }
}
