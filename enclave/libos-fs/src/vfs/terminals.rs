//! The names of pseudo-terminals, in `/dev/pts`.

use alloc::format;

use kobject::Result;
use linux_abi::device::UNIX98_PTY_SLAVE_MAJOR;
use linux_abi::stat::makedev;

use super::{NewNode, Vfs};
use crate::context::At;

/// The group of terminals: `tty` of Debian, and of the mount's options.
const TTY_GROUP: u32 = 5;

/// Most pseudo-terminals (kernel.pty.max).
pub const MAX_TERMINALS: u32 = 4096;

impl Vfs {
    /// Makes the slave of a pseudo-terminal, for its owner. EEXIST, ENOSPC.
    pub fn make_terminal(&self, number: u32, owner: u32) -> Result<()> {
        let node = NewNode::CharDevice(makedev(UNIX98_PTY_SLAVE_MAJOR, number));
        let path = format!("/dev/pts/{number}");
        let made = self.make_node_at(&self.root_context(), At::Cwd, path.as_bytes(), node, 0o620)?;
        made.head().set_owner((owner, TTY_GROUP));
        Ok(())
    }

    /// Takes its name away. ENOENT if a program has done so.
    pub fn remove_terminal(&self, number: u32) -> Result<()> {
        let path = format!("/dev/pts/{number}");
        self.unlink(&self.root_context(), At::Cwd, path.as_bytes())
    }
}
