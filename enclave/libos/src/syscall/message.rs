//! Messages of sockets: their flags, their memory, and what travels beside the bytes (cmsg(3)).

use alloc::vec::Vec;

use kobject::{Errno, IoVec, Result};
use libos_io::socket::{Ancillary, Control, Identity};
use linux_abi::read_write::UIO_MAXIOV;
use linux_abi::{Capabilities, ControlMessage, MessageFlags, OptionLevel};
use zerocopy::IntoBytes;

use super::Call;
use super::iovec::{pieces, reaches};
use super::new_descriptor::add_open;
use super::socket::MAX_CONTROL;
use crate::process::descriptors::OnExec;
use crate::uapi::MessageHeader;
use crate::user::{self, Address};

/// Most messages of sendmmsg and recvmmsg.
pub(super) const MAX_MESSAGES: u32 = UIO_MAXIOV as u32;

/// `struct mmsghdr`: a header and the count of bytes, padded.
pub(super) const MULTIPLE_STRIDE: u64 = 64;

pub(super) const MULTIPLE_LEN: u64 = 56;

pub(super) fn single(at: Address, len: usize) -> Result<[IoVec; 1]> {
    if (len as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    reaches(at, len)?;
    Ok([IoVec { base: at, len }])
}

pub(super) fn message_flags(raw: u32) -> MessageFlags {
    MessageFlags::from_bits_truncate(raw)
}

/// The memory of a message: EINVAL for the length of an address that cannot be one, EMSGSIZE for too many pieces.
pub(super) fn message_pieces(header: &MessageHeader) -> Result<Vec<IoVec>> {
    if header.name != 0 && header.name_len < 0 {
        return Err(Errno::EINVAL);
    }
    match header.piece_count > UIO_MAXIOV as u64 {
        true => Err(Errno::EMSGSIZE),
        false => pieces(header.pieces, header.piece_count),
    }
}

/// `struct cmsghdr`: length (8), level, type.
const CONTROL_HEADER: usize = 16;

pub(super) fn control_in(call: &Call<'_>, header: &MessageHeader) -> Result<Ancillary> {
    let mut ancillary = Ancillary::default();
    let len = usize::try_from(header.control_len)
        .ok()
        .filter(|&len| len <= MAX_CONTROL)
        .ok_or(Errno::ENOBUFS)?;
    let bytes = user::get_bytes(header.control, len)?;
    let mut rest = bytes.as_slice();
    while let Some((head, _)) = rest.split_first_chunk::<CONTROL_HEADER>() {
        let [len, kind]: [u64; 2] = zerocopy::transmute!(*head);
        let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        let data = rest.get(CONTROL_HEADER..len).ok_or(Errno::EINVAL)?;
        let (level, kind) = (OptionLevel(kind as u32), ControlMessage((kind >> 32) as u32));
        match (level, kind) {
            (OptionLevel::SOL_SOCKET, ControlMessage::SCM_RIGHTS) => {
                for fd in data.chunks_exact(4) {
                    let fd = u32::from_le_bytes(fd.try_into().map_err(|_| Errno::EINVAL)?);
                    ancillary.rights.push(call.file_or_path(fd)?);
                }
            }
            (OptionLevel::SOL_SOCKET, ControlMessage::SCM_CREDENTIALS) => {
                let claimed: [u32; 3] = zerocopy::transmute!(*data.first_chunk::<12>().ok_or(Errno::EINVAL)?);
                ancillary.credentials = Some(check_claim(call, claimed)?);
            }
            _ => {
                let data = data.to_vec();
                let kind = kind.0;
                ancillary.network.push(Control { level, kind, data });
            }
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(ancillary)
}

/// What a process may say of itself (unix(7)): EPERM for numbers that are not its own, nor its capabilities allow.
fn check_claim(call: &Call<'_>, [pid, uid, gid]: [u32; 3]) -> Result<Identity> {
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    if pid != process.pid {
        credentials.require(Capabilities::CAP_SYS_ADMIN)?;
    }
    let is_own = |ids: [u32; 4], id| ids.iter().take(3).any(|&own| own == id);
    if !is_own(credentials.uid, uid) {
        credentials.require(Capabilities::CAP_SETUID)?;
    }
    if !is_own(credentials.gid, gid) {
        credentials.require(Capabilities::CAP_SETGID)?;
    }
    Ok(Identity { pid, uid, gid })
}

/// Gives ancillary data to a program; whether some of it had no room.
pub(super) fn control_out(
    call: &Call<'_>,
    header: &mut MessageHeader,
    ancillary: &Ancillary,
    on_exec: OnExec,
) -> Result<bool> {
    let mut out = ControlOut::new(header);
    let socket = OptionLevel::SOL_SOCKET;
    if let Some(credentials) = ancillary.credentials {
        out.put(socket, ControlMessage::SCM_CREDENTIALS.0, &credentials.to_bytes());
    }
    if !ancillary.rights.is_empty() {
        let fit = out.left().saturating_sub(CONTROL_HEADER) / 4;
        out.is_cut |= fit < ancillary.rights.len();
        let mut fds: Vec<u32> = Vec::new();
        for file in ancillary.rights.iter().take(fit) {
            fds.push(add_open(&call.thread.process, file.clone(), on_exec)?);
        }
        if !fds.is_empty() {
            out.put(socket, ControlMessage::SCM_RIGHTS.0, fds.as_slice().as_bytes());
        }
    }
    for Control { level, kind, data } in &ancillary.network {
        out.put(*level, *kind, data);
    }
    if !out.bytes.is_empty() {
        user::put_bytes(header.control, &out.bytes)?;
    }
    header.control_len = out.bytes.len() as u64;
    Ok(out.is_cut)
}

/// Control data for a program: as much as there is room for (`put_cmsg` of the kernel).
struct ControlOut {
    bytes: Vec<u8>,
    room: usize,
    is_cut: bool,
}

impl ControlOut {
    fn new(header: &MessageHeader) -> Self {
        Self {
            bytes: Vec::new(),
            room: if header.control == 0 {
                0
            } else {
                usize::try_from(header.control_len).unwrap_or(usize::MAX)
            },
            is_cut: false,
        }
    }

    fn left(&self) -> usize {
        self.room.saturating_sub(self.bytes.len())
    }

    /// Puts a piece, cut to the room that is left; none of it if that is too small for a header. What follows begins at a multiple of 8,
    /// for which there is no need of room.
    fn put(&mut self, level: OptionLevel, kind: u32, data: &[u8]) {
        let left = self.left();
        if left < CONTROL_HEADER {
            self.is_cut = true;
            return;
        }
        let len = (CONTROL_HEADER + data.len()).min(left);
        self.is_cut |= len < CONTROL_HEADER + data.len();
        self.bytes.extend_from_slice(&(len as u64).to_le_bytes());
        self.bytes.extend_from_slice(&level.0.to_le_bytes());
        self.bytes.extend_from_slice(&kind.to_le_bytes());
        let data = data.get(..len - CONTROL_HEADER).unwrap_or_default();
        self.bytes.extend_from_slice(data);
        let padded = self.bytes.len().next_multiple_of(8).min(self.room);
        self.bytes.resize(padded, 0);
    }
}
