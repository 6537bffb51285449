//! Messages of sockets: their flags, their memory, and what travels beside the bytes (cmsg(3)).

use alloc::vec::Vec;

use enclave_layout::USER_END;
use kobject::{Errno, IoVec, Result};
use libos_io::socket::{Ancillary, Identity};
use linux_abi::read_write::UIO_MAXIOV;
use linux_abi::{Capabilities, ControlMessage, MessageFlags, OptionLevel};
use zerocopy::IntoBytes;

use super::Call;
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
    // As the kernel's access_ok: an address that merely is not there is found when it is used, and MSG_TRUNC uses none.
    match at.checked_add(len as u64) {
        Some(end) if end <= USER_END => Ok([IoVec { base: at, len }]),
        _ => Err(Errno::EFAULT),
    }
}

pub(super) fn message_flags(raw: u32) -> MessageFlags {
    MessageFlags::from_bits_truncate(raw)
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
                    ancillary.rights.push(call.file(fd)?);
                }
            }
            (OptionLevel::SOL_SOCKET, ControlMessage::SCM_CREDENTIALS) => {
                let claimed: [u32; 3] = zerocopy::transmute!(*data.first_chunk::<12>().ok_or(Errno::EINVAL)?);
                ancillary.credentials = Some(check_claim(call, claimed)?);
            }
            _ => return Err(Errno::EINVAL),
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(ancillary)
}

/// What a process may say of itself (unix(7)): EPERM for numbers that are not its own, nor its capabilities allow.
fn check_claim(call: &Call<'_>, [pid, uid, gid]: [u32; 3]) -> Result<Identity> {
    let process = &call.thread.process;
    let credentials = process.credentials();
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
    let room = usize::try_from(header.control_len).unwrap_or(usize::MAX);
    let mut out: Vec<u8> = Vec::new();
    let mut truncated = false;
    let mut put = |kind: ControlMessage, data: &[u8]| {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend_from_slice(&((CONTROL_HEADER + data.len()) as u64).to_le_bytes());
        out.extend_from_slice(&OptionLevel::SOL_SOCKET.0.to_le_bytes());
        out.extend_from_slice(&kind.0.to_le_bytes());
        out.extend_from_slice(data);
    };
    let mut left = room;
    if let Some(credentials) = ancillary.credentials {
        if left >= CONTROL_HEADER + 12 {
            put(ControlMessage::SCM_CREDENTIALS, &credentials.to_bytes());
            left -= (CONTROL_HEADER + 12).next_multiple_of(8).min(left);
        } else {
            truncated = true;
        }
    }
    if !ancillary.rights.is_empty() {
        let fit = left.saturating_sub(CONTROL_HEADER) / 4;
        truncated |= fit < ancillary.rights.len();
        let mut fds: Vec<u32> = Vec::new();
        for file in ancillary.rights.iter().take(fit) {
            fds.push(add_open(&call.thread.process, file.clone(), on_exec)?);
        }
        if !fds.is_empty() {
            put(ControlMessage::SCM_RIGHTS, fds.as_slice().as_bytes());
        }
    }
    if !out.is_empty() {
        user::put_bytes(header.control, &out)?;
    }
    header.control_len = out.len() as u64;
    Ok(truncated)
}
