//! What goes along with data through a socket.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::Description;
use linux_abi::MessageFlags;

use super::{Control, SocketAddress};

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

/// Ancillary data (cmsg(3)).
#[derive(Clone, Default)]
pub struct Ancillary {
    /// SCM_RIGHTS: open files.
    pub rights: Vec<Arc<Description>>,
    /// SCM_CREDENTIALS; `libos` checks what a sender may claim. A receiver gets them if it has set
    /// SO_PASSCRED.
    pub credentials: Option<Identity>,
    /// All else, which is for network sockets.
    pub network: Vec<Control>,
}

/// What `sendmsg` is told apart from the data.
#[derive(Default)]
pub struct Outgoing<'a> {
    /// Destination; `None` for the connected peer.
    pub address: Option<&'a [u8]>,
    /// Flags.
    pub flags: MessageFlags,
    /// Ancillary data. Network sockets ignore what is for Unix sockets.
    pub ancillary: Ancillary,
}

/// What `recvmsg` tells apart from the data.
#[derive(Default)]
pub struct Received {
    /// Bytes: of the data, or of the whole message if MSG_TRUNC was asked for.
    pub len: usize,
    /// The sender, where the protocol tells.
    pub address: Option<SocketAddress>,
    /// Flags of the result (MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_EOR).
    pub flags: MessageFlags,
    /// Ancillary data.
    pub ancillary: Ancillary,
}
