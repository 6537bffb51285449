//! Real programs from real packages, unmodified, in the enclave: they print what they print on Linux, serve real
//! clients, and end as a user expects.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Outcome, images, nacre};

/// `nacre run IMAGE ARGS`.
fn nacre_run(image: &str, args: &[&str]) -> Command {
    let archive = images::provide(&images::recipe(image).unwrap()).unwrap();
    let mut command = Command::new(nacre().unwrap());
    command
        .arg("run")
        .arg(format!("docker-archive:{}", archive.display()))
        .args(args);
    command
}

/// Runs an image to its end and compares what it prints.
fn prints(image: &str, args: &[&str], expected: &str) {
    let outcome = Outcome::of(nacre_run(image, args), b"").unwrap();
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        (expected, 0),
        "{image}: {outcome}"
    );
}

#[test]
fn python_script() {
    prints("python", &[], include_str!("../../images/main.py.out"));
}

#[test]
fn python_arguments() {
    prints(
        "python",
        &["-c", "import sys; print(sys.argv[1:], sys.maxsize)", "a b"],
        "['a b'] 9223372036854775807\n",
    );
}

#[test]
fn go_program() {
    prints("go", &[], include_str!("../../images/main.go.out"));
}

#[test]
fn busybox() {
    prints("busybox", &[], "An oyster lays nacre around what it encloses.\n");
    prints(
        "busybox",
        &["sh", "-c", "x=6; echo $((x * 7)) $0; cd /etc; pwd"],
        "42 sh\n/etc\n",
    );
}

#[test]
fn musl_static_threads() {
    let outcome = Outcome::of(nacre_run("musl-static", &[]), b"").unwrap();
    assert!(
        outcome.status == 0 && outcome.stdout.contains("1..11"),
        "{outcome}"
    );
}

#[test]
fn non_pie_threads() {
    let outcome = Outcome::of(nacre_run("non-pie", &[]), b"").unwrap();
    assert!(
        outcome.status == 0 && outcome.stdout.contains("1..11"),
        "{outcome}"
    );
}

#[test]
fn redis_serves_its_own_client() {
    let port = free_port();
    let mut server = Server::start(
        "redis",
        &["--port", &port, "--save", "", "--protected-mode", "no"],
        &port,
    );
    let client = |args: &[&str]| {
        let mut command = Command::new("redis-cli");
        Outcome::of(
            {
                command.args(["-p", &port]).args(args);
                command
            },
            b"",
        )
        .expect("install the package redis-tools")
        .stdout
    };
    assert_eq!(client(&["set", "oyster", "pearl"]), "OK\n");
    assert_eq!(client(&["get", "oyster"]), "pearl\n");
    assert_eq!(client(&["eval", "return #redis.call('keys', '*')", "0"]), "1\n");
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args([
        "-p",
        &port,
        "-n",
        "20000",
        "-c",
        "50",
        "-q",
        "-t",
        "set,get,lpush,zadd",
    ]);
    let benchmark = Outcome::of(benchmark, b"").unwrap();
    assert_eq!(benchmark.status, 0, "{benchmark}");
    assert_eq!(
        benchmark.stdout.matches("requests per second").count(),
        4,
        "{benchmark}"
    );
    assert_eq!(server.terminate(), 0, "redis ends well on SIGTERM");
}

#[test]
fn memcached_serves() {
    let port = free_port();
    let mut server = Server::start("memcached", &["-p", &port, "-U", "0", "-t", "2"], &port);
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let value = "x".repeat(100_000);
    for i in 0..50 {
        write!(connection, "set key{i} 0 0 {}\r\n{value}\r\n", value.len()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "STORED");
    }
    for i in 0..50 {
        write!(connection, "get key{i}\r\n").unwrap();
        assert_eq!(
            lines.next().unwrap().unwrap(),
            format!("VALUE key{i} 0 {}", value.len())
        );
        assert_eq!(lines.next().unwrap().unwrap(), value);
        assert_eq!(lines.next().unwrap().unwrap(), "END");
    }
    assert_eq!(server.terminate(), 0, "memcached ends well on SIGTERM");
}

/// A server in the enclave, killed when the test is over.
struct Server {
    process: Child,
    output: tempfile::NamedTempFile,
}

impl Server {
    /// Starts it and waits until it accepts connections.
    fn start(image: &str, args: &[&str], port: &str) -> Self {
        let output = tempfile::NamedTempFile::new().unwrap();
        let mut command = nacre_run(image, args);
        command
            .stdin(Stdio::null())
            .stdout(output.reopen().unwrap())
            .stderr(output.reopen().unwrap());
        let mut server = Self {
            process: command.spawn().unwrap(),
            output,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            let status = server.process.try_wait().unwrap();
            assert!(
                status.is_none() && Instant::now() < deadline,
                "{image} does not serve: {status:?}\n{}",
                server.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Sends SIGTERM and returns the exit status.
    fn terminate(&mut self) -> i32 {
        assert!(
            Command::new("kill")
                .arg(self.process.id().to_string())
                .status()
                .unwrap()
                .success()
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status
                    .code()
                    .unwrap_or_else(|| panic!("{status}\n{}", self.text()));
            }
            assert!(
                Instant::now() < deadline,
                "still runs after SIGTERM\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.output.path()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string()
}
