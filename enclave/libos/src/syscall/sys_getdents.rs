//! getdents, getdents64.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use kobject::{DirectoryEntry, DirectorySink, Errno, Result};

use super::Call;
use super::table::Row;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(217, "getdents64", sys_getdents64, "dxd"),
    Row::partial(
        78,
        "getdents",
        sys_getdents,
        "dxd",
        "the older form of getdents64",
    ),
];

fn sys_getdents64(call: &mut Call<'_>) -> Result<u64> {
    directory_entries(call, false)
}

fn sys_getdents(call: &mut Call<'_>) -> Result<u64> {
    directory_entries(call, true)
}

fn directory_entries(call: &Call<'_>, old: bool) -> Result<u64> {
    let (fd, at, len) = (call.fd(0), call.pointer(1), call.uint(2));
    let file = call.file(fd)?;
    // More at a time than any C library asks for gains nothing.
    let room = (len as usize).min(1 << 16);
    let before = file.position();
    let mut sink = Dirents {
        bytes: Vec::new(),
        room,
        old,
    };
    file.read_directory(&mut sink)?;
    if sink.bytes.is_empty() && file.position() != before {
        return Ok(0);
    }
    if sink.bytes.is_empty() && room < 24 {
        return Err(Errno::EINVAL);
    }
    user::put_bytes(at, &sink.bytes)?;
    Ok(sink.bytes.len() as u64)
}

/// Collects entries in one of the two forms that getdents has had.
struct Dirents {
    bytes: Vec<u8>,
    room: usize,
    /// getdents: the type is the last byte of the record; getdents64: it stands before the name.
    old: bool,
}

impl DirectorySink for Dirents {
    fn entry(&mut self, entry: DirectoryEntry<'_>) -> ControlFlow<()> {
        let header = if self.old { 18 } else { 19 };
        // The name's zero byte, and in the old form the type behind it.
        let size = (header + entry.name.len() + 1 + usize::from(self.old)).next_multiple_of(8);
        if self.bytes.len() + size > self.room {
            return ControlFlow::Break(());
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&entry.inode.to_le_bytes());
        self.bytes.extend_from_slice(&entry.next.to_le_bytes());
        self.bytes.extend_from_slice(&(size as u16).to_le_bytes());
        if !self.old {
            self.bytes.push(entry.kind.directory_type());
        }
        self.bytes.extend_from_slice(entry.name);
        self.bytes.resize(start + size, 0);
        if self.old
            && let Some(last) = self.bytes.last_mut()
        {
            *last = entry.kind.directory_type();
        }
        ControlFlow::Continue(())
    }
}
