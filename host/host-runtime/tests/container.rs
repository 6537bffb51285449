//! `nacre-host` as a user meets it: streams, exit status, signals, refusals.

mod scripted_enclave;

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};

use host_abi::{
    BootInfo, Exit, HostFd, Message, MessageKind, Park, STAGING_SIZE, StreamRead, StreamWrite, Wait,
};
use scripted_enclave::{FLAG, Host, SIGNALS, Script};

const EINTR: i64 = -4;
const EAGAIN: i64 = -11;

fn run(script: Script) -> Output {
    script.host().command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn write_out(len: usize) -> StreamWrite {
    StreamWrite {
        fd: HostFd::STDOUT,
        len,
        wait: Wait::FOREVER,
    }
}

fn read_in(len: usize, wait: Wait) -> StreamRead {
    StreamRead {
        fd: HostFd::STDIN,
        len,
        wait,
    }
}

#[test]
fn the_container_s_status_is_the_process_s() {
    assert_eq!(run(Script::default().thread().exit(0)).status.code(), Some(0));
    assert_eq!(run(Script::default().thread().exit(7)).status.code(), Some(7));
    for signal in [2, 9, 15] {
        let output = run(Script::default().thread().call(Exit { status: signal }));
        assert_eq!(output.status.signal(), Some(signal.into()));
    }
}

#[test]
fn an_emulated_enclave_says_what_it_is() {
    let output = run(Script::default().thread().exit(0));
    assert_eq!(
        text(&output.stderr),
        "nacre: emulated enclave: this host can read and change everything in it; use it for development only\n"
    );
}

#[test]
fn input_goes_through_to_output() {
    let script = Script::default()
        .thread()
        .call(read_in(STAGING_SIZE, Wait::FOREVER));
    let script = script
        .call_with_last(write_out(0), 1)
        .expect(5, 100)
        .call(read_in(9, Wait::FOREVER));
    let mut host = script.expect(0, 101).exit(0).host();
    let mut child = host.command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"pearl").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "pearl"));
}

#[test]
fn reading_without_waiting_or_for_a_while_ends() {
    let script = Script::default()
        .thread()
        .call(read_in(9, Wait::NONE))
        .expect(EAGAIN, 100);
    let script = script
        .call(read_in(9, Wait::nanoseconds(20_000_000)))
        .expect(EAGAIN, 101);
    let mut host = script.exit(0).host();
    let start = std::time::Instant::now();
    let mut child = host.command.spawn().unwrap();
    let stdin = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(start.elapsed().as_millis() >= 20);
    drop(stdin);
}

#[test]
fn a_full_pipe_does_not_block_who_may_not_wait() {
    let write = StreamWrite {
        fd: HostFd::STDOUT,
        len: STAGING_SIZE,
        wait: Wait::NONE,
    };
    // 64 KiB fit into a pipe, in pieces that are written whole.
    let mut script = Script::default().thread();
    for _ in 0..16 {
        script = script.call(write).expect(4096, 100);
    }
    let script = script.call(write).expect(EAGAIN, 101).exit(0);
    let mut host = script.host();
    let mut child = host.command.spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn messages_go_to_standard_error() {
    let message = |kind, text: &str| {
        (
            Message {
                kind,
                len: text.len(),
            },
            text.to_owned(),
        )
    };
    let mut script = Script::default().thread();
    for (call, text) in [
        message(MessageKind::Notice, "frob is not supported"),
        message(MessageKind::Trace, "read(0) = 1\n"),
        message(MessageKind::Stats, "  its own counts\n"),
        message(MessageKind::Panic, "no more"),
    ] {
        script = script.call_staged(call, 0, text.as_bytes()).expect(0, 100);
    }
    let mut host = script.exit(0).host();
    host.command.arg("--stats");
    let output = host.command.output().unwrap();
    let stderr = text(&output.stderr);
    let lines: Vec<&str> = stderr.lines().skip(1).collect();
    assert_eq!(lines[0], "nacre: frob is not supported");
    assert_eq!(lines[1], "read(0) = 1");
    assert_eq!(lines[2], "nacre: the library OS has failed: no more");
    assert_eq!(lines[3], "nacre: statistics");
    assert!(stderr.contains("1  host calls: Exit"), "{stderr}");
    assert!(stderr.contains("4  host calls: Message"), "{stderr}");
    assert_eq!(lines.last(), Some(&"  its own counts"));
}

#[test]
fn the_first_thread_is_told_what_it_starts_with() {
    let script = Script::default().thread().call(write_out(65536)).exit(0);
    let mut host = script.host();
    host.command.args([
        "--trace",
        "-e",
        "A=1",
        "--env=B=2",
        "--hostname",
        "pearl",
        "--",
        "sh",
        "-c",
        "x",
    ]);
    let output = host.command.output().unwrap();
    let info = BootInfo::decode(&output.stdout).unwrap();
    assert!(info.flags.trace && !info.flags.stats);
    assert_eq!(info.args, [b"sh".to_vec(), b"-c".to_vec(), b"x".to_vec()]);
    assert_eq!(info.env, [b"A=1".to_vec(), b"B=2".to_vec()]);
    assert_eq!(info.hostname, b"pearl");
    assert_eq!(info.rootfs_len, 8192);
    assert!(info.rootfs_address >= enclave_layout::ELRANGE_SIZE);
    assert!(info.processors >= 1);
    assert!(info.cpuid.iter().any(|entry| entry.leaf == 7));
}

/// Waits for a byte on standard output, sends the signal until the container ends, and gives its exit code. (Again
/// and again, because the first may come before the thread is where the test wants it.)
fn signalled(script: Script, signal: i32) -> Option<i32> {
    let mut host = script.host();
    let mut child = host.command.spawn().unwrap();
    let mut ready = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let stdin = child.stdin.take();
    let status = loop {
        // SAFETY: to a child that has not been waited for.
        unsafe { libc::kill(child.id().cast_signed(), signal) };
        std::thread::sleep(std::time::Duration::from_millis(20));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    drop(stdin);
    status.code()
}

const READY: &[u8] = b"!";

#[test]
fn signals_reach_the_enclave_wherever_its_thread_is() {
    let ready = || Script::default().thread().call_staged(write_out(1), 0, READY);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1] {
        let bit = 1 << (signal - 1);
        // Spinning; blocked in a read; waiting for its token.
        assert_eq!(
            signalled(ready().spin_until(SIGNALS, bit).exit(3), signal),
            Some(3)
        );
        let reading = ready().call(read_in(9, Wait::FOREVER)).expect(EINTR, 100);
        assert_eq!(
            signalled(reading.spin_until(SIGNALS, bit).exit(4), signal),
            Some(4)
        );
        let parked = ready().call(Park { wait: Wait::FOREVER }).expect(0, 100);
        assert_eq!(
            signalled(parked.spin_until(SIGNALS, bit).exit(5), signal),
            Some(5)
        );
    }
}

#[test]
fn an_enclave_that_hears_nothing_is_ended_by_the_second_signal() {
    let deaf = Script::default()
        .thread()
        .call_staged(write_out(1), 0, b"+")
        .spin_until(FLAG, 1)
        .exit(0);
    let mut host = deaf.host();
    let mut child = host
        .command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    let pid = child.id() as libc::pid_t;
    for _ in 0..2 {
        // SAFETY: a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        std::thread::sleep(std::time::Duration::from_millis(1200));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(70));
    assert!(text(&output.stderr).contains("does not deliver the signals"));
}

#[test]
fn a_system_call_instruction_reaches_the_enclave_s_handler() {
    let script = Script::default().thread().system_call().expect(-1, 100).exit(0);
    assert_eq!(run(script).status.code(), Some(0));
}

#[test]
fn an_enclave_without_patched_instructions_runs_too() {
    let mut host = Script::default()
        .thread()
        .call(Park { wait: Wait::NONE })
        .expect(1, 100)
        .exit(6)
        .host();
    host.command.arg("--trap-enclu");
    assert_eq!(host.command.status().unwrap().code(), Some(6));
}

fn refusal(mut host: Host) -> String {
    let output = host.command.output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let stderr = text(&output.stderr).to_owned();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("nacre: "), "{stderr}");
    stderr
}

#[test]
fn changed_files_are_refused() {
    let (sgxs, sig) = Script::default().thread().exit(0).files();
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x10;
        bytes
    };
    let step = sgxs.len() / 97;
    for at in (0..sgxs.len()).step_by(step) {
        refusal(Host::new(&flip(&sgxs, at), &sig));
    }
    for at in (0..sig.len()).step_by(37) {
        refusal(Host::new(&sgxs, &flip(&sig, at)));
    }
    for len in [0, 1, 64, sgxs.len() - 1, sgxs.len() - 320] {
        refusal(Host::new(&sgxs[..len], &sig));
    }
    refusal(Host::new(&sgxs, &sig[..1807]));
}

#[test]
fn bad_arguments_are_explained() {
    let host = |args: &[&str]| {
        let mut host = Script::default().thread().exit(0).host();
        host.command.args(args);
        host
    };
    assert!(refusal(host(&["--frob"])).contains("--help"));
    assert!(refusal(host(&["--sgxs", "/nowhere"])).contains("/nowhere"));
    assert!(refusal(host(&["--rootfs", "/etc/passwd:0:99999999"])).contains("truncated"));
    let long = "x".repeat(100_000);
    assert!(refusal(host(&["-e", &long, "-e", &long, "-e", &long])).contains("too long"));
}
