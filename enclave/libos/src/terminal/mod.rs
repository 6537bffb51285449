//! Terminals: pseudo-terminals (pty(7)), `/dev/tty`, and the job control that goes with them.
//!
//! - [`PseudoTerminal`]: a pair from `libos-tty` with who waits for it, and whose controlling terminal it is;
//! - `master`, `slave`: its two kinds of open files; `ioctl`: what both understand;
//! - `bridge`: a terminal that the host shows to its user;
//! - `job_control`: sessions, the foreground, hang-ups.
//!
//! Locks: the table of terminals, a terminal's `control`, its `pair`. None is held while signals are sent, queues are told, or a
//! program's memory is touched.

pub(crate) mod bridge;
mod ioctl;
pub(crate) mod job_control;
mod master;
mod slave;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;

use kobject::{Errno, File, Mutex, Result, SpinLock, WaitQueue};
use libos_fs::MAX_TERMINALS;
use libos_tty::Pair;
use linux_abi::device::{DEV_PTMX, DEV_TTY, UNIX98_PTY_SLAVE_MAJOR};
use linux_abi::stat::{makedev, minor};
use linux_abi::{Capabilities, OpenFlags, PollEvents};

use crate::process::CURRENT;
pub(crate) use ioctl::resize;
pub(crate) use master::Master;
pub(crate) use slave::Slave;

/// A pseudo-terminal.
pub(crate) struct PseudoTerminal {
    /// N of `/dev/pts/N`.
    pub(crate) number: u32,
    pair: Mutex<Pair>,
    control: SpinLock<Control>,
    /// Told of what masters wait for: output to read, room for input, the slave's end.
    masters: Arc<WaitQueue>,
    /// Told of what slaves wait for.
    slaves: Arc<WaitQueue>,
}

/// Who has it.
struct Control {
    /// The session whose controlling terminal it is; 0 for none.
    session: u32,
    /// The process group in its foreground; 0 for none.
    foreground: u32,
    /// TIOCSPTLCK: its slave cannot be opened.
    is_locked: bool,
    /// TIOCEXCL: its slave cannot be opened again.
    is_exclusive: bool,
    /// The master was closed.
    is_hung_up: bool,
    /// Open files of its slave.
    slaves: usize,
    /// The last of them was closed.
    slave_is_closed: bool,
}

/// All of them, by number.
static TERMINALS: SpinLock<BTreeMap<u32, Arc<PseudoTerminal>>> = SpinLock::new(BTreeMap::new());

impl PseudoTerminal {
    /// A new one, whose slave is locked. ENOSPC when there are too many.
    fn make(owner: u32) -> Result<Arc<Self>> {
        let terminal = {
            let mut terminals = TERMINALS.lock();
            let free = (0..MAX_TERMINALS).find(|number| !terminals.contains_key(number));
            let number = free.ok_or(Errno::ENOSPC)?;
            let terminal = Arc::new(Self {
                number,
                pair: Mutex::new(Pair::new()),
                control: SpinLock::new(Control {
                    session: 0,
                    foreground: 0,
                    is_locked: true,
                    is_exclusive: false,
                    is_hung_up: false,
                    slaves: 0,
                    slave_is_closed: false,
                }),
                masters: WaitQueue::new(),
                slaves: WaitQueue::new(),
            });
            terminals.insert(number, terminal.clone());
            terminal
        };
        match crate::container().vfs().make_terminal(terminal.number, owner) {
            Ok(()) => Ok(terminal),
            Err(error) => {
                TERMINALS.lock().remove(&terminal.number);
                Err(error)
            }
        }
    }

    /// Does something with the pair; then tells who waits, and sends the signals of the keys that were met.
    fn with<R>(&self, act: impl FnOnce(&mut Pair) -> R) -> R {
        match self.with_if(|pair| Ok::<R, core::convert::Infallible>(act(pair))) {
            Ok(result) => result,
            Err(never) => match never {},
        }
    }

    /// As [`Self::with`]; but who waits is told only if something was done.
    fn with_if<R, E>(
        &self,
        act: impl FnOnce(&mut Pair) -> core::result::Result<R, E>,
    ) -> core::result::Result<R, E> {
        let (result, keys) = {
            let mut pair = self.pair.lock();
            let result = act(&mut pair);
            (result, pair.take_keys())
        };
        if result.is_ok() {
            self.tell(PollEvents::READABLE | PollEvents::WRITABLE | PollEvents::POLLPRI);
        }
        job_control::send_keys(self, keys);
        result
    }

    /// Looks at the pair, or changes what nobody waits for.
    fn look<R>(&self, look: impl FnOnce(&mut Pair) -> R) -> R {
        look(&mut self.pair.lock())
    }

    fn tell(&self, events: PollEvents) {
        self.masters.wake(events);
        self.slaves.wake(events);
    }

    /// st_rdev of its slave.
    pub(crate) fn device(&self) -> u64 {
        makedev(UNIX98_PTY_SLAVE_MAJOR, self.number)
    }

    /// The process group in its foreground; 0 for none.
    pub(crate) fn foreground(&self) -> u32 {
        self.control.lock().foreground
    }

    fn is_hung_up(&self) -> bool {
        self.control.lock().is_hung_up
    }

    /// Whether the slave was open and is no more.
    fn slave_is_closed(&self) -> bool {
        self.control.lock().slave_is_closed
    }

    /// The master was closed, or will not be used any more: the terminal is gone.
    fn hang_up(&self) {
        let was_hung_up = core::mem::replace(&mut self.control.lock().is_hung_up, true);
        if was_hung_up {
            return;
        }
        TERMINALS.lock().remove(&self.number);
        // A program may have removed the name.
        let _ = crate::container().vfs().remove_terminal(self.number);
        job_control::hang_up(self);
        self.tell(PollEvents::READABLE | PollEvents::WRITABLE | PollEvents::UNASKED);
    }
}

/// Opens what `/dev/tty`, `/dev/ptmx` and `/dev/pts/N` are. `inode` answers `fstat`.
pub(crate) fn open(number: u64, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<dyn File>> {
    match number {
        DEV_PTMX => {
            let owner = CURRENT.with(|thread| thread.credentials().fsuid());
            Ok(Arc::new(Master::new(PseudoTerminal::make(owner)?, inode)))
        }
        DEV_TTY => {
            let terminal = CURRENT.with(|thread| thread.process.terminal.lock().clone());
            Ok(Slave::open(&terminal.ok_or(Errno::ENXIO)?, inode)?)
        }
        _ => open_slave(minor(number), flags, inode),
    }
}

fn open_slave(number: u32, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<dyn File>> {
    let terminal = TERMINALS.lock().get(&number).cloned().ok_or(Errno::EIO)?;
    let (is_locked, is_exclusive) = {
        let control = terminal.control.lock();
        (control.is_locked, control.is_exclusive && control.slaves > 0)
    };
    if is_locked {
        return Err(Errno::EIO);
    }
    let is_admin = || CURRENT.with(|thread| thread.credentials().has(Capabilities::CAP_SYS_ADMIN));
    if is_exclusive && !is_admin() {
        return Err(Errno::EBUSY);
    }
    let slave = Slave::open(&terminal, inode)?;
    if !flags.contains(OpenFlags::O_NOCTTY) && flags.readable() {
        job_control::acquire(&terminal);
    }
    Ok(slave)
}

/// How many there are.
pub(crate) fn count() -> usize {
    TERMINALS.lock().len()
}

/// Opens the slave of a terminal as TIOCGPTPEER and the container's start do, by its name.
pub(crate) fn open_by_name(terminal: &PseudoTerminal, flags: OpenFlags) -> Result<Arc<kobject::Description>> {
    let vfs = crate::container().vfs();
    let path = format!("/dev/pts/{}", terminal.number);
    let how = libos_fs::OpenHow::open(flags.bits(), 0)?;
    vfs.open(&vfs.root_context(), libos_fs::At::Cwd, path.as_bytes(), how)
}
