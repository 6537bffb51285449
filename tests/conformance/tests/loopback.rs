//! Where loopback addresses lead: inside, to the host where the configuration says so, and never under a wrong name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use harness::{Outcome, Running, images, nacre};
use tempfile::TempDir;

/// As whom programs see the host's programs on its loopback interface.
const HOST: &str = "169.254.1.2";

/// Python in an image that was converted with these options.
struct Image {
    place: TempDir,
}

impl Image {
    fn new(options: &[&str]) -> Self {
        static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
        let archive = ARCHIVE.get_or_init(|| images::provide(&images::recipe("python").unwrap()).unwrap());
        let image = Self {
            place: tempfile::tempdir().unwrap(),
        };
        let mut convert = Command::new(nacre().unwrap());
        convert
            .args(["convert", "--debug", "--allow-args"])
            .args(options)
            .arg(format!("docker-archive:{}", archive.display()))
            .arg(image.name())
            .current_dir(image.place.path());
        let outcome = Outcome::of(convert, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        image
    }

    fn name(&self) -> String {
        format!("oci-archive:{}", self.place.path().join("image.tar").display())
    }

    fn run(&self, script: &str, args: &[&str]) -> Command {
        let mut command = Command::new(nacre().unwrap());
        command.args(["run", &self.name(), "-c", script]).args(args);
        command
    }
}

/// A server that answers whom it sees, and what its own client is told: that is its first line.
const SERVER: &str = "
import socket, sys, threading
address, port = sys.argv[1], int(sys.argv[2])
is_6 = ':' in address
server = socket.create_server((address, port), family=socket.AF_INET6 if is_6 else socket.AF_INET, dualstack_ipv6=is_6)
def serve():
    while True:
        connection, peer = server.accept()
        assert connection.getpeername() == peer
        connection.sendall(peer[0].encode())
        connection.close()
threading.Thread(target=serve, daemon=True).start()
client = socket.create_connection(('127.0.0.1', server.getsockname()[1]))
print(server.getsockname()[1], client.recv(100).decode(), flush=True)
threading.Event().wait(60)
";

/// What a server in the container says to the host's client, and to its own.
fn ask(image: &Image, address: &str, port: u16) -> (std::io::Result<String>, String) {
    let (_server, line) = Running::start(&mut image.run(SERVER, &[address, &port.to_string()])).unwrap();
    let (port, inside) = line.split_once(' ').unwrap();
    let ask = || {
        let mut connection = TcpStream::connect(("127.0.0.1", port.parse().unwrap()))?;
        let mut said = String::new();
        connection.read_to_string(&mut said)?;
        Ok(said)
    };
    (ask(), inside.to_owned())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn a_server_at_all_addresses_is_reached_from_both_sides() {
    let image = Image::new(&[]);
    for (address, inside, outside) in [
        ("0.0.0.0", "127.0.0.1", HOST),
        ("::", "::ffff:127.0.0.1", "::ffff:169.254.1.2"),
    ] {
        let (by_host, by_own) = ask(&image, address, 0);
        assert_eq!(
            (by_host.unwrap().as_str(), by_own.as_str()),
            (outside, inside),
            "{address}"
        );
    }
}

#[test]
fn a_server_at_the_loopback_address_is_reached_from_inside_alone_unless_published() {
    let port = free_port();
    let (by_host, by_own) = ask(&Image::new(&[]), "127.0.0.1", port);
    assert_eq!(by_own, "127.0.0.1");
    assert!(by_host.is_err(), "{by_host:?}");

    let published = Image::new(&["--publish-loopback", &port.to_string()]);
    let (by_host, by_own) = ask(&published, "127.0.0.1", port);
    assert_eq!((by_host.unwrap().as_str(), by_own.as_str()), (HOST, "127.0.0.1"));
    // What the host's programs have is not to be had.
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let script = format!("import socket; socket.create_server(('127.0.0.1', {port}))");
    let outcome = Outcome::of(published.run(&script, &[]), b"").unwrap();
    assert!(outcome.stderr.contains("Address already in use"), "{outcome}");
}

#[test]
fn a_server_of_the_host_is_reached_where_that_was_allowed() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let serve = std::thread::spawn(move || server.accept().unwrap().0.write_all(b"pearl").unwrap());
    let script = "
import socket, sys
connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
print(connection.recv(100).decode(), connection.getpeername()[0])";
    let closed = Outcome::of(Image::new(&[]).run(script, &[&port]), b"").unwrap();
    assert!(closed.stderr.contains("ConnectionRefusedError"), "{closed}");
    let open = Image::new(&["--host-loopback", &port]);
    let outcome = Outcome::of(open.run(script, &[&port]), b"").unwrap();
    assert_eq!(outcome.stdout, "pearl 127.0.0.1\n", "{outcome}");
    serve.join().unwrap();
}

#[test]
fn datagrams_of_the_host_come_from_the_host_and_go_back_there() {
    let script = "
import socket, threading
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('0.0.0.0', 0))
port = server.getsockname()[1]
def serve():
    while True:
        words, peer = server.recvfrom(100)
        server.sendto(words + b' ' + peer[0].encode(), peer)
threading.Thread(target=serve, daemon=True).start()
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b'inside', ('127.0.0.1', port))
print(port, client.recv(100).decode(), flush=True)
threading.Event().wait(60)";
    let image = Image::new(&[]);
    let (_server, line) = Running::start(&mut image.run(script, &[])).unwrap();
    let (port, inside) = line.split_once(' ').unwrap();
    assert_eq!(inside, "inside 127.0.0.1");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for words in ["one", "two"] {
        let to: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        client.send_to(words.as_bytes(), to).unwrap();
        let mut answer = [0; 100];
        let count = client.recv(&mut answer).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&answer[..count]),
            format!("{words} {HOST}")
        );
    }
}

#[test]
fn a_datagram_server_of_the_host_is_reached_where_that_was_allowed() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let serve = std::thread::spawn(move || {
        let mut words = [0; 100];
        for _ in 0..2 {
            let (count, peer) = server.recv_from(&mut words).unwrap();
            server.send_to(&words[..count], peer).unwrap();
        }
    });
    let script = "
import socket, sys
port = int(sys.argv[1])
loose, tied = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
loose.sendto(b'loose', ('127.0.0.1', port))
print(*loose.recvfrom(100))
tied.connect(('127.0.0.1', port))
tied.send(b'tied')
print(tied.recv(100), tied.getpeername())";
    let image = Image::new(&["--host-loopback", &format!("{port}/udp")]);
    let outcome = Outcome::of(image.run(script, &[&port.to_string()]), b"").unwrap();
    let expected = format!("b'loose' ('127.0.0.1', {port})\nb'tied' ('127.0.0.1', {port})\n");
    assert_eq!(outcome.stdout, expected, "{outcome}");
    serve.join().unwrap();
}
