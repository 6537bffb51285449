//! What goes along with data through a socket.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::Description;

use super::SocketAddress;

bitflags::bitflags! {
    /// The flags of sending and receiving: Linux's MSG_ bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MessageFlags: u32 {
        /// MSG_OOB
        const OOB = 0x1;
        /// MSG_PEEK
        const PEEK = 0x2;
        /// MSG_DONTROUTE
        const DONT_ROUTE = 0x4;
        /// MSG_CTRUNC: ancillary data was cut. Of the result only.
        const CONTROL_TRUNCATED = 0x8;
        /// MSG_TRUNC
        const TRUNCATED = 0x20;
        /// MSG_DONTWAIT
        const DONT_WAIT = 0x40;
        /// MSG_EOR
        const END_OF_RECORD = 0x80;
        /// MSG_WAITALL
        const WAIT_ALL = 0x100;
        /// MSG_CONFIRM
        const CONFIRM = 0x800;
        /// MSG_ERRQUEUE
        const ERROR_QUEUE = 0x2000;
        /// MSG_NOSIGNAL: for the LibOS's system calls; sockets raise no signals.
        const NO_SIGNAL = 0x4000;
        /// MSG_MORE
        const MORE = 0x8000;
    }
}

/// What a process is known by to its peers (`struct ucred`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Process.
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Identity {
    /// What is said of a peer of whom nothing is known.
    pub const UNKNOWN: Self = Self {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };

    /// As `struct ucred`.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (place, word) in bytes.chunks_exact_mut(4).zip([self.pid, self.uid, self.gid]) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

/// Ancillary data (cmsg(3)) of Unix sockets.
#[derive(Clone, Default)]
pub struct Ancillary {
    /// SCM_RIGHTS: open files.
    pub rights: Vec<Arc<Description>>,
    /// SCM_CREDENTIALS; `libos` checks what a sender may claim. A receiver gets them if it has set
    /// SO_PASSCRED.
    pub credentials: Option<Identity>,
}

/// What `sendmsg` is told apart from the data.
#[derive(Default)]
pub struct Outgoing<'a> {
    /// Destination; `None` for the connected peer.
    pub address: Option<&'a [u8]>,
    /// Flags.
    pub flags: MessageFlags,
    /// Ancillary data. Network sockets take none and ignore these.
    pub ancillary: Ancillary,
}

/// What `recvmsg` tells apart from the data.
#[derive(Default)]
pub struct Received {
    /// Bytes: of the data, or of the whole message if MSG_TRUNC was asked for.
    pub len: usize,
    /// The sender, where the protocol tells.
    pub address: Option<SocketAddress>,
    /// Flags of the result (TRUNCATED, CONTROL_TRUNCATED, OOB, END_OF_RECORD).
    pub flags: MessageFlags,
    /// Ancillary data.
    pub ancillary: Ancillary,
}
