use alloc::vec::Vec;

use kobject::{Description, KernelSink, KernelSource};
use linux_abi::{MessageFlags, OpenFlags, PollEvents};

use super::*;
use crate::pipe::pipe;
use crate::socket::{Ancillary, BoundSocket, SocketNames};

const NONBLOCKING: How = How {
    nonblocking: true,
    append: false,
};

const ME: Identity = Identity {
    pid: 7,
    uid: 1000,
    gid: 1001,
};

/// A file system of names alone.
#[derive(Default)]
struct Names(Mutex<Vec<(Vec<u8>, BoundSocket)>>);

impl SocketNames for Names {
    fn bind(&self, path: &[u8], socket: BoundSocket, _: u32) -> Result<()> {
        let mut names = self.0.lock();
        if names.iter().any(|(name, _)| name == path) {
            return Err(Errno::EEXIST);
        }
        names.push((path.to_vec(), socket));
        Ok(())
    }

    fn find(&self, path: &[u8]) -> Result<BoundSocket> {
        let names = self.0.lock();
        let found = names.iter().find(|(name, _)| name == path);
        found.map(|(_, socket)| socket.clone()).ok_or(Errno::ENOENT)
    }
}

fn caller(names: &Names) -> Caller<'_> {
    Caller { identity: ME, names }
}

fn address(name: &[u8]) -> Vec<u8> {
    [&[1, 0], name].concat()
}

fn socket(kind: SocketKind) -> Arc<UnixSocket> {
    UnixSocket::open(kind, Protocol(0), ME).unwrap()
}

fn pair(kind: SocketKind) -> (Arc<UnixSocket>, Arc<UnixSocket>) {
    UnixSocket::pair(kind, Protocol(0), ME).unwrap()
}

fn write(socket: &UnixSocket, bytes: &[u8]) -> Result<usize> {
    socket
        .write(0, &mut KernelSource(bytes), NONBLOCKING)
        .map(|(count, _)| count)
}

fn read(socket: &UnixSocket, most: usize) -> Result<Vec<u8>> {
    let mut sink = KernelSink::new(most);
    socket.read(0, &mut sink, NONBLOCKING)?;
    Ok(sink.into_bytes())
}

fn receive(socket: &UnixSocket, most: usize, flags: MessageFlags) -> Result<(Vec<u8>, Received)> {
    let mut sink = KernelSink::new(most);
    let received = socket.receive(&mut sink, flags, NONBLOCKING)?;
    Ok((sink.into_bytes(), received))
}

fn send(socket: &UnixSocket, bytes: &[u8], message: Outgoing<'_>) -> Result<usize> {
    let names = Names::default();
    socket.send(&mut KernelSource(bytes), message, NONBLOCKING, caller(&names))
}

fn file() -> Arc<Description> {
    Description::new(pipe().0, OpenFlags::empty(), b"")
}

fn with_rights(count: usize) -> Outgoing<'static> {
    let rights = (0..count).map(|_| file()).collect();
    Outgoing {
        ancillary: Ancillary {
            rights,
            ..Ancillary::default()
        },
        ..Outgoing::default()
    }
}

fn all(socket: &UnixSocket) -> PollEvents {
    socket.poll(PollEvents::POLLIN | PollEvents::POLLOUT | PollEvents::POLLRDHUP)
}

/// A listening socket at an abstract name, one that has connected to it, and the accepted one.
fn connection(name: &[u8], kind: SocketKind) -> (Arc<UnixSocket>, Arc<UnixSocket>, Arc<dyn File>) {
    let names = Names::default();
    let caller = caller(&names);
    let (listener, client) = (socket(kind), socket(kind));
    listener.bind(&address(name), caller).unwrap();
    listener.listen(5, caller).unwrap();
    client.connect(&address(name), NONBLOCKING, caller).unwrap();
    let (server, _) = listener.accept(NONBLOCKING).unwrap();
    (listener, client, server)
}

fn unix(file: &Arc<dyn File>) -> &UnixSocket {
    file.as_any().downcast_ref().unwrap()
}

#[test]
fn a_stream_runs_both_ways_and_ends() {
    let (one, other) = pair(SocketKind::Stream);
    assert_eq!(read(&one, 9), Err(Errno::EAGAIN));
    assert_eq!(write(&one, b"there"), Ok(5));
    assert_eq!(write(&other, b"back"), Ok(4));
    assert_eq!(read(&other, 2), Ok(b"th".to_vec()));
    assert_eq!(read(&other, 9), Ok(b"ere".to_vec()));
    assert_eq!(all(&other), PollEvents::POLLOUT);
    assert_eq!(read(&one, 9), Ok(b"back".to_vec()));
    one.close();
    assert_eq!(read(&other, 9), Ok(Vec::new()));
    assert_eq!(write(&other, b"x"), Err(Errno::EPIPE));
    assert_eq!(
        all(&other),
        PollEvents::POLLIN | PollEvents::POLLOUT | PollEvents::POLLRDHUP | PollEvents::POLLHUP
    );
}

#[test]
fn waiting_for_all_ends_when_all_is_there() {
    let (one, other) = pair(SocketKind::Stream);
    write(&one, b"123").unwrap();
    assert_eq!(receive(&other, 2, MessageFlags::MSG_WAITALL).unwrap().0, b"12");
    write(&one, b"4").unwrap();
    let (bytes, received) = receive(&other, 2, MessageFlags::MSG_WAITALL).unwrap();
    assert_eq!((&bytes[..], received.len), (&b"34"[..], 2));
    write(&one, b"5").unwrap();
    assert_eq!(receive(&other, 2, MessageFlags::MSG_WAITALL).unwrap().0, b"5");
}

#[test]
fn who_leaves_unread_data_resets_the_connection() {
    let (one, other) = pair(SocketKind::Stream);
    write(&one, b"unread").unwrap();
    write(&other, b"read").unwrap();
    other.close();
    assert!(all(&one).contains(PollEvents::POLLERR));
    assert_eq!(read(&one, 9), Ok(b"read".to_vec()));
    assert_eq!(read(&one, 9), Err(Errno::ECONNRESET));
    assert_eq!(read(&one, 9), Ok(Vec::new()));
}

#[test]
fn half_a_stream_can_be_shut_down() {
    let (one, other) = pair(SocketKind::Stream);
    write(&one, b"last").unwrap();
    one.shutdown(Shutdown::Write).unwrap();
    assert_eq!(write(&one, b"x"), Err(Errno::EPIPE));
    assert_eq!(
        all(&other),
        PollEvents::POLLIN | PollEvents::POLLOUT | PollEvents::POLLRDHUP
    );
    assert_eq!(read(&other, 9), Ok(b"last".to_vec()));
    assert_eq!(read(&other, 9), Ok(Vec::new()));
    assert_eq!(write(&other, b"still"), Ok(5));
    assert_eq!(read(&one, 9), Ok(b"still".to_vec()));
    one.shutdown(Shutdown::Read).unwrap();
    assert_eq!(write(&other, b"x"), Err(Errno::EPIPE));
    assert_eq!(socket(SocketKind::Stream).shutdown(Shutdown::Both), Ok(()));
}

#[test]
fn a_stream_is_bounded() {
    let (one, other) = pair(SocketKind::Stream);
    let sent = write(&one, &[1; 1 << 20]).unwrap();
    assert_eq!(sent, CAPACITY);
    assert_eq!(write(&one, b"x"), Err(Errno::EAGAIN));
    assert!(!all(&one).contains(PollEvents::POLLOUT));
    read(&other, sent / 2).unwrap();
    assert!(!all(&one).contains(PollEvents::POLLOUT));
    read(&other, sent / 2).unwrap();
    assert!(all(&one).contains(PollEvents::POLLOUT));
}

#[test]
fn messages_keep_their_bounds() {
    for kind in [SocketKind::SeqPacket, SocketKind::Datagram] {
        let (one, other) = pair(kind);
        write(&one, b"first").unwrap();
        write(&one, b"").unwrap();
        write(&one, b"second").unwrap();
        let (bytes, received) = receive(&other, 3, MessageFlags::MSG_PEEK).unwrap();
        assert_eq!(
            (&bytes[..], received.len, received.flags),
            (&b"fir"[..], 3, MessageFlags::MSG_TRUNC)
        );
        let (bytes, received) = receive(&other, 3, MessageFlags::MSG_TRUNC).unwrap();
        assert_eq!((&bytes[..], received.len), (&b"fir"[..], 5));
        assert_eq!(receive(&other, 9, MessageFlags::empty()).unwrap().0, b"");
        let (bytes, received) = receive(&other, 9, MessageFlags::empty()).unwrap();
        assert_eq!(
            (&bytes[..], received.flags),
            (&b"second"[..], MessageFlags::empty())
        );
        assert_eq!(write(&one, &[0; CAPACITY]), Err(Errno::EMSGSIZE));
        let mut sent = 0;
        while write(&one, b"").is_ok() {
            sent += 1;
        }
        assert!(
            (100..1000).contains(&sent),
            "{sent} empty messages are on their way"
        );
    }
}

#[test]
fn a_closed_seqpacket_ends_and_a_closed_datagram_refuses() {
    let (one, other) = pair(SocketKind::SeqPacket);
    one.close();
    assert_eq!(read(&other, 9), Ok(Vec::new()));
    assert_eq!(write(&other, b"x"), Err(Errno::EPIPE));
    let (one, other) = pair(SocketKind::Datagram);
    one.close();
    assert_eq!(read(&other, 9), Err(Errno::EAGAIN));
    assert_eq!(write(&other, b"x"), Err(Errno::ECONNREFUSED));
    assert_eq!(write(&other, b"x"), Err(Errno::ENOTCONN));
}

#[test]
fn open_files_arrive_with_their_byte() {
    let (one, other) = pair(SocketKind::Stream);
    write(&one, b"plain").unwrap();
    send(&one, b"ab", with_rights(2)).unwrap();
    send(&one, b"c", with_rights(1)).unwrap();
    write(&one, b"rest").unwrap();
    let take = |most, flags| {
        let (bytes, received) = receive(&other, most, flags).unwrap();
        (bytes, received.ancillary.rights.len())
    };
    assert_eq!(take(3, MessageFlags::empty()), (b"pla".to_vec(), 0));
    assert_eq!(take(99, MessageFlags::MSG_PEEK), (b"inab".to_vec(), 2));
    assert_eq!(take(3, MessageFlags::empty()), (b"ina".to_vec(), 2));
    assert_eq!(take(99, MessageFlags::empty()), (b"bc".to_vec(), 1));
    assert_eq!(take(99, MessageFlags::empty()), (b"rest".to_vec(), 0));
    let (one, other) = pair(SocketKind::Datagram);
    send(&one, b"x", with_rights(3)).unwrap();
    assert_eq!(
        receive(&other, 9, MessageFlags::empty())
            .unwrap()
            .1
            .ancillary
            .rights
            .len(),
        3
    );
}

#[test]
fn open_files_that_nobody_receives_are_closed() {
    let (one, other) = pair(SocketKind::Stream);
    let outgoing = with_rights(1);
    let sent = Arc::downgrade(&outgoing.ancillary.rights[0]);
    send(&one, b"x", outgoing).unwrap();
    assert!(sent.upgrade().is_some());
    other.close();
    assert!(sent.upgrade().is_none());
}

#[test]
fn who_asks_is_told_who_sends() {
    let (one, other) = pair(SocketKind::Stream);
    let mut out = [0; 12];
    assert_eq!(
        one.option(OptionLevel::SOL_SOCKET, SocketOption::SO_PEERCRED.0, &mut out),
        Ok(12)
    );
    assert_eq!(out, ME.to_bytes());
    other
        .set_option(
            OptionLevel::SOL_SOCKET,
            SocketOption::SO_PASSCRED.0,
            &1u32.to_ne_bytes(),
        )
        .unwrap();
    let claimed = Identity {
        pid: 8,
        uid: 0,
        gid: 0,
    };
    write(&one, b"mine").unwrap();
    let message = Outgoing {
        ancillary: Ancillary {
            credentials: Some(claimed),
            ..Ancillary::default()
        },
        ..Outgoing::default()
    };
    send(&one, b"claimed", message).unwrap();
    for (bytes, identity) in [(&b"mine"[..], ME), (b"claimed", claimed)] {
        let (received, message) = receive(&other, 99, MessageFlags::empty()).unwrap();
        assert_eq!(
            (&received[..], message.ancillary.credentials),
            (bytes, Some(identity))
        );
    }
}

#[test]
fn a_listening_socket_accepts() {
    let (listener, client, server) = connection(b"\0accepts", SocketKind::Stream);
    let server = unix(&server);
    assert_eq!(listener.accept(NONBLOCKING).err(), Some(Errno::EAGAIN));
    write(&client, b"hello").unwrap();
    assert_eq!(read(server, 9), Ok(b"hello".to_vec()));
    assert_eq!(server.own_address().unwrap().as_bytes(), address(b"\0accepts"));
    assert_eq!(client.peer_address().unwrap().as_bytes(), address(b"\0accepts"));
    assert_eq!(server.peer_address().unwrap().as_bytes(), address(b""));
    let names = Names::default();
    let again = client.connect(&address(b"\0accepts"), NONBLOCKING, caller(&names));
    assert_eq!(again, Err(Errno::EISCONN));
    // The accepted socket's end does not free the name that it shares.
    server.close();
    let another = socket(SocketKind::Stream);
    assert_eq!(
        another.bind(&address(b"\0accepts"), caller(&names)),
        Err(Errno::EADDRINUSE)
    );
    listener.close();
    assert_eq!(another.bind(&address(b"\0accepts"), caller(&names)), Ok(()));
}

#[test]
fn a_full_backlog_makes_wait_and_a_closed_one_resets() {
    let names = Names::default();
    let caller = caller(&names);
    let listener = socket(SocketKind::Stream);
    listener.bind(&address(b"\0backlog"), caller).unwrap();
    let connect = || {
        let client = socket(SocketKind::Stream);
        client
            .connect(&address(b"\0backlog"), NONBLOCKING, caller)
            .map(|()| client)
    };
    assert_eq!(connect().err(), Some(Errno::ECONNREFUSED));
    listener.listen(1, caller).unwrap();
    let clients = [connect().unwrap(), connect().unwrap()];
    assert_eq!(connect().err(), Some(Errno::EAGAIN));
    assert_eq!(all(&listener), PollEvents::POLLIN);
    listener.close();
    assert_eq!(read(&clients[0], 9), Err(Errno::ECONNRESET));
    assert_eq!(connect().err(), Some(Errno::ECONNREFUSED));
}

#[test]
fn paths_are_names_too() {
    let names = Names::default();
    let caller = caller(&names);
    let server = socket(SocketKind::Datagram);
    server.bind(&address(b"/run/log\0junk"), caller).unwrap();
    assert_eq!(server.bind(&address(b"/run/other"), caller), Err(Errno::EINVAL));
    assert_eq!(server.own_address().unwrap().as_bytes(), address(b"/run/log\0"));
    let stranger = socket(SocketKind::Stream);
    let connect = |socket: &UnixSocket, name: &[u8]| socket.connect(&address(name), NONBLOCKING, caller);
    assert_eq!(connect(&stranger, b"/run/log"), Err(Errno::EPROTOTYPE));
    assert_eq!(connect(&stranger, b"/run/none"), Err(Errno::ENOENT));
    let client = socket(SocketKind::Datagram);
    client.bind(&address(b""), caller).unwrap();
    assert_eq!(client.own_address().unwrap().as_bytes().len(), 2 + 1 + 5);
    let message = Outgoing {
        address: Some(&address(b"/run/log")),
        ..Outgoing::default()
    };
    client
        .send(&mut KernelSource(b"line"), message, NONBLOCKING, caller)
        .unwrap();
    let (bytes, received) = receive(&server, 99, MessageFlags::empty()).unwrap();
    assert_eq!(bytes, b"line");
    assert_eq!(received.address, Some(client.own_address().unwrap()));
    server.close();
    assert_eq!(connect(&client, b"/run/log"), Err(Errno::ECONNREFUSED));
    let another = socket(SocketKind::Datagram);
    assert_eq!(
        another.bind(&address(b"/run/log"), caller),
        Err(Errno::EADDRINUSE)
    );
}

#[test]
fn datagrams_wait_in_limited_number_and_only_a_peer_is_heard() {
    let names = Names::default();
    let caller = caller(&names);
    let (server, client) = (socket(SocketKind::Datagram), socket(SocketKind::Datagram));
    server.bind(&address(b"\0queue"), caller).unwrap();
    client.connect(&address(b"\0queue"), NONBLOCKING, caller).unwrap();
    for _ in 0..11 {
        write(&client, b"x").unwrap();
    }
    assert!(!all(&client).contains(PollEvents::POLLOUT));
    assert_eq!(write(&client, b"x"), Err(Errno::EAGAIN));
    read(&server, 1).unwrap();
    assert!(all(&client).contains(PollEvents::POLLOUT));
    client.bind(&address(b"\0client"), caller).unwrap();
    server
        .connect(&address(b"\0client"), NONBLOCKING, caller)
        .unwrap();
    let third = socket(SocketKind::Datagram);
    assert_eq!(
        third.connect(&address(b"\0queue"), NONBLOCKING, caller),
        Err(Errno::EPERM)
    );
    assert_eq!(write(&third, b"x"), Err(Errno::ENOTCONN));
}

#[test]
fn addresses_are_checked() {
    let names = Names::default();
    let socket = socket(SocketKind::Stream);
    for bad in [&[][..], &[1], &[2, 0, b'x'], &[1; 111]] {
        assert_eq!(socket.bind(bad, caller(&names)), Err(Errno::EINVAL), "{bad:?}");
    }
    assert_eq!(
        socket.connect(&[1, 0], NONBLOCKING, caller(&names)),
        Err(Errno::EINVAL)
    );
    let longest = address(&[b'p'; 108]);
    socket.bind(&longest, caller(&names)).unwrap();
    assert_eq!(
        socket.own_address().unwrap().as_bytes(),
        [&longest[..], &[0]].concat()
    );
    assert_eq!(socket.listen(1, caller(&names)), Ok(()));
}
