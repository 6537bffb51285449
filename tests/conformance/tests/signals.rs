//! Signals that the host passes on: none is lost, whatever the threads of the container do when it comes.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use harness::archive::{self, Entry};
use harness::nacre;
use serde_json::json;

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

/// A container of this program with these members of its configuration; it has written `+` when this returns.
fn start(source: &str, config: serde_json::Value) -> (Running, Receiver<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../images")
        .join(source);
    let program = dir.path().join("program");
    let gcc = Command::new("gcc")
        .args(["-static", "-O2", "-pthread", "-o"])
        .args([&program, &source])
        .status();
    assert!(gcc.unwrap().success(), "install the packages gcc and libc6-dev");
    let entry = Entry::file("program", 0o755, std::fs::read(&program).unwrap());
    let image = dir.path().join("image.tar");
    let mut file = std::fs::File::create(&image).unwrap();
    let layer = archive::layer([entry]).unwrap();
    archive::write_with(&mut file, "image:latest", config, &layer).unwrap();
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
    assert_eq!(next(&tells, "the start"), b'+');
    (running, tells)
}

fn next(tells: &Receiver<u8>, what: &str) -> u8 {
    let told = tells.recv_timeout(Duration::from_secs(20));
    told.unwrap_or_else(|_| panic!("{what} is not told of"))
}

fn send(running: &Running, signal: i32) {
    let pid = i32::try_from(running.0.id()).unwrap();
    // SAFETY: sends a signal to a child that was not waited for. A command would take longer than the window that is meant.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

fn none_is_lost(threads: &str) {
    let (running, tells) = start("count_signals.c", json!({ "Entrypoint": ["/program", threads] }));
    for number in 0..SIGNALS {
        send(&running, libc::SIGUSR1);
        assert_eq!(next(&tells, &format!("signal {number}")), b'.');
    }
}

/// The signal by which the image's configuration says that it is stopped arrives, whichever it is.
fn arrives(stop_signal: &str, number: i32) {
    let config = json!({
        "Entrypoint": ["/program", number.to_string()],
        "StopSignal": stop_signal,
    });
    let (mut running, tells) = start("end_by_signal.c", config);
    send(&running, number);
    assert_eq!(next(&tells, stop_signal), b'.');
    assert_eq!(running.0.wait().unwrap().code(), Some(7), "{stop_signal}");
}

#[test]
fn the_image_s_stop_signal_arrives() {
    arrives("SIGALRM", libc::SIGALRM);
    arrives("SIGRTMIN+3", libc::SIGRTMIN() + 3);
    arrives("SIGRTMAX", libc::SIGRTMAX());
    arrives("SIGCHLD", libc::SIGCHLD);
    arrives("SIGTSTP", libc::SIGTSTP);
}

#[test]
fn none_is_lost_in_one_thread() {
    none_is_lost("1");
}

#[test]
fn none_is_lost_in_eight_threads() {
    none_is_lost("8");
}
