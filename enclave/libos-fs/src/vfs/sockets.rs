//! Unix sockets' names: `bind` makes an inode, `connect` finds what was bound.

use alloc::sync::Arc;
use core::any::Any;

use kobject::credentials::AccessMode;
use kobject::{Errno, Result};

use super::{NewNode, Vfs};
use crate::context::{At, Context};
use crate::tree::Body;
use crate::walk::{Follow, Walk};

impl Vfs {
    /// Gives a socket a path, with these permissions less the umask: EADDRINUSE if it is taken. The object is kept as long as the name.
    pub fn bind_socket(
        &self,
        context: &Context,
        path: &[u8],
        object: Arc<dyn Any + Send + Sync>,
        permissions: u32,
    ) -> Result<()> {
        let made = self.make_node_at(context, At::Cwd, path, NewNode::Socket, permissions);
        let made = made.map_err(|error| {
            if error == Errno::EEXIST {
                Errno::EADDRINUSE
            } else {
                error
            }
        })?;
        match made.tree().map(|inode| &inode.body) {
            Some(Body::Socket(slot)) => {
                *slot.lock() = Some(object);
                Ok(())
            }
            _ => Err(Errno::EADDRINUSE),
        }
    }

    /// The object that was bound to a path: ECONNREFUSED if it is no socket, or one that nobody has bound since the container started.
    pub fn find_socket(&self, context: &Context, path: &[u8]) -> Result<Arc<dyn Any + Send + Sync>> {
        let found = Walk::new(context, At::Cwd).resolve(path, Follow::Yes)?;
        found.head().permits(&context.credentials, AccessMode::WRITE)?;
        match found.tree().map(|inode| &inode.body) {
            Some(Body::Socket(slot)) => slot.lock().clone().ok_or(Errno::ECONNREFUSED),
            _ => Err(Errno::ECONNREFUSED),
        }
    }
}
