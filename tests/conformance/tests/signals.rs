//! Signals that the host passes on: none is lost, whatever the threads of the container do when it comes.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use harness::archive::{self, Config, Entry};
use harness::nacre;

/// How many signals each test sends, each after the one before it was told of.
const SIGNALS: usize = 20_000;

/// Kills the container when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn none_is_lost(threads: &str) {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/count_signals.c");
    let program = dir.path().join("program");
    let gcc = Command::new("gcc")
        .args(["-static", "-O2", "-pthread", "-o"])
        .args([&program, &source])
        .status();
    assert!(gcc.unwrap().success(), "install the packages gcc and libc6-dev");
    let entry = Entry::file("program", 0o755, std::fs::read(&program).unwrap());
    let config = Config {
        entrypoint: vec!["/program".to_owned(), threads.to_owned()],
        working_dir: "/".to_owned(),
        ..Config::default()
    };
    let image = dir.path().join("image.tar");
    let mut file = std::fs::File::create(&image).unwrap();
    archive::write(
        &mut file,
        "image:latest",
        &config,
        &archive::layer([entry]).unwrap(),
    )
    .unwrap();
    let mut child = Command::new(nacre().unwrap())
        .arg("run")
        .arg(format!("docker-archive:{}", image.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let running = Running(child);
    let (told, tells) = channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while matches!(output.read(&mut byte), Ok(1)) {
            if told.send(byte[0]).is_err() {
                break;
            }
        }
    });
    let next = |tells: &Receiver<u8>, what: &str| {
        let told = tells.recv_timeout(Duration::from_secs(20));
        told.unwrap_or_else(|_| panic!("{what} is not told of"))
    };
    assert_eq!(next(&tells, "the start"), b'+');
    for number in 0..SIGNALS {
        let pid = i32::try_from(running.0.id()).unwrap();
        // SAFETY: sends a signal to a child that was not waited for. A command would take longer than the window that is meant.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGUSR1) }, 0);
        assert_eq!(next(&tells, &format!("signal {number}")), b'.');
    }
}

#[test]
fn none_is_lost_in_one_thread() {
    none_is_lost("1");
}

#[test]
fn none_is_lost_in_eight_threads() {
    none_is_lost("8");
}
