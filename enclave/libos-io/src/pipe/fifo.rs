//! Named pipes.

use alloc::sync::Arc;

use kobject::{Errno, File, Result, wait_until};
use linux_abi::{OpenFlags, PollEvents};

use super::{Pipe, PipeEnd, Role};

/// What the inode of a FIFO keeps: the pipe that all who open it share.
pub struct Fifo {
    pipe: Arc<Pipe>,
}

impl Fifo {
    /// A FIFO that nobody has open.
    #[expect(
        clippy::new_without_default,
        reason = "each FIFO is an object of its own, there is no default one"
    )]
    pub fn new() -> Self {
        Self { pipe: Pipe::new() }
    }

    /// `open`: waits for the other side as fifo(7) says, unless O_NONBLOCK or O_RDWR is among the flags
    /// (ENXIO for a writer whom nobody would read). `inode` answers `fstat`.
    pub fn open(&self, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<PipeEnd>> {
        let role = Role::of(flags);
        let nonblocking = flags.contains(OpenFlags::O_NONBLOCK);
        if role == Role::Write && nonblocking && self.pipe.state.lock().readers == 0 {
            return Err(Errno::ENXIO);
        }
        let end = Arc::new(PipeEnd::open(&self.pipe, role, Some(inode)));
        self.pipe.queue.wake(PollEvents::READABLE | PollEvents::WRITABLE);
        if role != Role::Both && !nonblocking {
            self.wait_for_other_side(role)?;
        }
        Ok(end)
    }

    /// Waits until the other side is open, or has been open in the meantime.
    fn wait_for_other_side(&self, role: Role) -> Result<()> {
        let others = || {
            let state = self.pipe.state.lock();
            match role {
                Role::Read => (state.writers, state.writer_opens),
                _ => (state.readers, state.reader_opens),
            }
        };
        let (_, before) = others();
        let events = PollEvents::READABLE | PollEvents::WRITABLE;
        wait_until(&self.pipe.queue, events, None, || match others() {
            (0, opens) if opens == before => Err(Errno::EAGAIN),
            _ => Ok(()),
        })
    }
}
