//! Sockets, poll and epoll against a peer in this process.

mod scripted_enclave;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use host_abi::{
    Close, Connect, EpollControl, EpollCreate, EpollOperation, EpollWait, HostFd, MAX_SOCKADDR, Poll,
    PollEntry, Queue, Queued, Recv, Send, Socket, StreamWrite, Wait, Wanted,
};
use scripted_enclave::Script;

const EAGAIN: i64 = -11;
const ECONNREFUSED: i64 = -111;

/// The first descriptor that a fresh `nacre-host` gives out: 3 is the root file system's, 4 the emulator's /proc/self/mem.
fn first_fd() -> HostFd {
    HostFd::from_raw(5).unwrap()
}

fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else {
        panic!("IPv4")
    };
    let mut bytes = (libc::AF_INET as u16).to_le_bytes().to_vec();
    bytes.extend(address.port().to_be_bytes());
    bytes.extend(address.ip().octets());
    bytes.resize(16, 0);
    bytes
}

const TCP: Socket = Socket {
    domain: libc::AF_INET as u16,
    kind: libc::SOCK_STREAM as u16,
    protocol: 0,
};

/// A thread that has connected to `address`.
fn connected(address: SocketAddr, wait: Wait, expected: i64) -> Script {
    let fd = first_fd();
    let script = Script::default().thread().call(TCP).expect(fd.raw().into(), 100);
    script
        .call_staged(
            Connect {
                fd,
                address_len: 16,
                wait,
            },
            0,
            &sockaddr(address),
        )
        .expect(expected, 101)
}

#[test]
fn bytes_go_to_a_peer_and_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fd = first_fd();
    let send = Send {
        fd,
        len: 4,
        flags: 0,
        address_len: 0,
        control_len: 0,
        wait: Wait::FOREVER,
    };
    let recv = |wait| Recv {
        fd,
        len: 100,
        flags: 0,
        wait,
        wanted: Wanted::Data,
        least: 0,
    };
    let at = MAX_SOCKADDR as u64;
    let script = connected(listener.local_addr().unwrap(), Wait::FOREVER, 0)
        .call(recv(Wait::NONE))
        .expect(EAGAIN, 102)
        .call(recv(Wait::nanoseconds(10_000_000)))
        .expect(EAGAIN, 103)
        .call_staged(send, at, b"ping")
        .expect(4, 104)
        .call(recv(Wait::FOREVER))
        .expect(5, 105)
        .call(StreamWrite {
            fd: HostFd::STDOUT,
            len: MAX_SOCKADDR + 5,
            wait: Wait::FOREVER,
        })
        .call(recv(Wait::FOREVER))
        .expect(0, 106)
        .call(Close { fd, reset: false })
        .expect(0, 107)
        .call(Close { fd, reset: false })
        .expect(-9, 108)
        .exit(0);
    let mut host = script.host();
    let child = host.command.spawn().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let mut bytes = [0; 4];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"ping");
    std::thread::sleep(std::time::Duration::from_millis(20));
    peer.write_all(b"pearl").unwrap();
    drop(peer);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(&output.stdout[MAX_SOCKADDR..], b"pearl");
}

#[test]
fn a_refused_connection_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut host = connected(free, Wait::FOREVER, ECONNREFUSED).exit(0).host();
    assert_eq!(host.command.status().unwrap().code(), Some(0));
}

#[test]
fn events_come_in_the_boundary_s_form() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fd = first_fd();
    let epoll = HostFd::from_raw(6).unwrap();
    let control = EpollControl {
        epoll,
        operation: EpollOperation::Add,
        fd,
        events: libc::EPOLLIN as u32,
        data: 0x1122_3344_5566_7788,
        ahead: false,
    };
    let entry = PollEntry {
        fd,
        events: libc::POLLIN as u16,
        happened: 0,
    };
    let out = |len| StreamWrite {
        fd: HostFd::STDOUT,
        len,
        wait: Wait::FOREVER,
    };
    let script = connected(listener.local_addr().unwrap(), Wait::FOREVER, 0)
        .call(EpollCreate)
        .expect(epoll.raw().into(), 102)
        .call(control)
        .expect(0, 103)
        .call(EpollWait {
            epoll,
            most: 8,
            wait: Wait::NONE,
            ahead: 0,
            held: 0,
        })
        .expect(0, 104)
        .call_staged(
            Send {
                fd,
                len: 1,
                flags: 0,
                address_len: 0,
                control_len: 0,
                wait: Wait::NONE,
            },
            128,
            b"!",
        )
        .call(EpollWait {
            epoll,
            most: 8,
            wait: Wait::FOREVER,
            ahead: 0,
            held: 0,
        })
        .expect(1, 105)
        .call(out(16))
        .call_staged(
            Poll {
                count: 1,
                wait: Wait::FOREVER,
            },
            0,
            &entry.to_bytes(),
        )
        .expect(1, 106)
        .call(out(8))
        .call(Queued {
            fd,
            queue: Queue::Unread,
        })
        .expect(5, 107)
        .exit(0);
    let mut host = script.host();
    let child = host.command.spawn().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.read_exact(&mut [0]).unwrap();
    peer.write_all(b"pearl").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (event, entry) = output.stdout.split_at(16);
    assert_eq!(
        event,
        [
            &[1, 0, 0, 0],
            &(-libc::EAGAIN).to_le_bytes(),
            &0x1122_3344_5566_7788u64.to_le_bytes()[..]
        ]
        .concat()
    );
    assert_eq!(entry, [5, 0, 0, 0, 1, 0, 1, 0]);
}
