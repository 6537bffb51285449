//! Pairs of Unix sockets.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::sync::Arc;

use kobject::{Description, Errno, File, KernelSink, KernelSource};
use libos_io::Socket;
use libos_io::socket::{
    Ancillary, BoundSocket, Caller, Identity, Outgoing, Shutdown, SocketKind, SocketNames, UnixSocket,
};
use linux_abi::{MessageFlags, OpenFlags, PollEvents, Protocol, ShutdownDirection};
use proptest::prelude::*;
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg,
};

use crate::{NONBLOCKING, Outcome, ours, pattern, polled, theirs};

#[derive(Clone, Debug)]
enum Step {
    Send { len: usize, rights: usize },
    Receive { room: usize, flags: MessageFlags },
    Shutdown(u32),
    Close,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let flags = prop_oneof![
        4 => Just(MessageFlags::empty()),
        1 => Just(MessageFlags::MSG_PEEK),
        1 => Just(MessageFlags::MSG_TRUNC),
    ];
    let step = prop_oneof![
        12 => (0usize..3000, prop_oneof![4 => Just(0usize), 1 => 1usize..4])
            .prop_map(|(len, rights)| Step::Send { len, rights }),
        12 => (1usize..5000, flags).prop_map(|(room, flags)| Step::Receive { room, flags }),
        1 => (0u32..3).prop_map(Step::Shutdown),
        1 => Just(Step::Close),
    ];
    (0usize..2, step)
}

struct NoNames;

impl SocketNames for NoNames {
    fn bind(&self, _: &[u8], _: BoundSocket, _: u32) -> kobject::Result<()> {
        Err(Errno::EACCES)
    }

    fn find(&self, _: &[u8]) -> kobject::Result<BoundSocket> {
        Err(Errno::ENOENT)
    }
}

const ME: Identity = Identity {
    pid: 1,
    uid: 0,
    gid: 0,
};

/// The bytes, the length, the flags, and how many open files came along.
type Message = (Vec<u8>, usize, u32, usize);

/// A socket of ours beside one of the kernel's.
struct Side {
    socket: Arc<UnixSocket>,
    native: OwnedFd,
}

impl Drop for Side {
    fn drop(&mut self) {
        self.socket.close();
    }
}

fn pair(kind: SocketKind) -> [Option<Side>; 2] {
    let native_kind = match kind {
        SocketKind::Stream => SocketType::STREAM,
        SocketKind::SeqPacket => SocketType::SEQPACKET,
        _ => SocketType::DGRAM,
    };
    let (one, other) = UnixSocket::pair(kind, Protocol(0), ME).unwrap();
    let (native_one, native_other) =
        rustix::net::socketpair(AddressFamily::UNIX, native_kind, SocketFlags::NONBLOCK, None).unwrap();
    let side = |socket, native| Some(Side { socket, native });
    [side(one, native_one), side(other, native_other)]
}

impl Side {
    fn send(&self, bytes: &[u8], rights: usize) -> [Outcome<usize>; 2] {
        let file = || Description::new(libos_io::pipe::pipe().0, OpenFlags::empty(), b"");
        let message = Outgoing {
            ancillary: Ancillary {
                rights: (0..rights).map(|_| file()).collect(),
                ..Ancillary::default()
            },
            ..Outgoing::default()
        };
        let caller = Caller {
            identity: ME,
            names: &NoNames,
        };
        let sent = self
            .socket
            .send(&mut KernelSource(bytes), message, NONBLOCKING, caller);
        let descriptors = vec![rustix::stdio::stdin(); rights];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if rights > 0 {
            assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        }
        let native = sendmsg(
            &self.native,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        );
        [ours(sent), theirs(native)]
    }

    fn receive(&self, room: usize, flags: MessageFlags) -> [Outcome<Message>; 2] {
        let mut sink = KernelSink::new(room);
        let received = ours(self.socket.receive(&mut sink, flags, NONBLOCKING)).map(|received| {
            let rights = received.ancillary.rights.len();
            (sink.into_bytes(), received.len, received.flags.bits(), rights)
        });
        let mut buffer = vec![0; room];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let native_flags = RecvFlags::from_bits_retain(flags.bits());
        let message = recvmsg(
            &self.native,
            &mut [IoSliceMut::new(&mut buffer)],
            &mut control,
            native_flags,
        );
        let rights = control
            .drain()
            .map(|message| match message {
                RecvAncillaryMessage::ScmRights(rights) => rights.count(),
                _ => 0,
            })
            .sum();
        let native = theirs(message).map(|message| {
            buffer.truncate(message.bytes);
            (buffer, message.bytes, message.flags.bits(), rights)
        });
        [received, native]
    }

    fn shutdown(&self, which: u32) -> [Outcome<()>; 2] {
        let native = [
            rustix::net::Shutdown::Read,
            rustix::net::Shutdown::Write,
            rustix::net::Shutdown::Both,
        ][which as usize];
        [
            ours(
                self.socket
                    .shutdown(Shutdown::from_raw(ShutdownDirection(which)).unwrap()),
            ),
            theirs(rustix::net::shutdown(&self.native, native)),
        ]
    }
}

fn compare(kind: SocketKind, steps: Vec<(usize, Step)>) -> Result<(), TestCaseError> {
    let mut sides = pair(kind);
    let (mut sent, mut waiting) = (0, 0);
    for (side, step) in steps {
        let Some(this) = &sides[side] else {
            continue;
        };
        match step {
            // How much fits is counted in other units here and there.
            Step::Send { .. } if waiting > 12 => {}
            Step::Send { len, rights } => {
                // Whether an empty packet counts as unread is not the same in all versions of the kernel.
                let len = if kind == SocketKind::SeqPacket {
                    len.max(1)
                } else {
                    len
                };
                let [ours, theirs] = this.send(&pattern(sent, len), rights);
                prop_assert_eq!(ours, theirs);
                (sent, waiting) = (sent + len as u64, waiting + 1);
            }
            Step::Receive { room, flags } => {
                let [ours, theirs] = this.receive(room, flags);
                prop_assert_eq!(&ours, &theirs);
                if ours == Err(Errno::EAGAIN.raw().into()) {
                    waiting = 0;
                }
            }
            Step::Shutdown(which) => {
                let [ours, theirs] = this.shutdown(which);
                prop_assert_eq!(ours, theirs);
            }
            Step::Close => sides[side] = None,
        }
        let interest = PollEvents::POLLIN | PollEvents::POLLOUT | PollEvents::POLLRDHUP;
        for side in sides.iter().flatten() {
            prop_assert_eq!(side.socket.poll(interest), polled(&side.native, interest));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn streams_behave_as_the_kernels(steps in prop::collection::vec(step(), 1..60)) {
        compare(SocketKind::Stream, steps)?;
    }

    #[test]
    fn packets_behave_as_the_kernels(steps in prop::collection::vec(step(), 1..60)) {
        compare(SocketKind::SeqPacket, steps)?;
    }

    #[test]
    fn datagrams_behave_as_the_kernels(steps in prop::collection::vec(step(), 1..60)) {
        compare(SocketKind::Datagram, steps)?;
    }
}
