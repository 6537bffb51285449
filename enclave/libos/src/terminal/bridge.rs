//! The bridge between a terminal in the enclave and streams of the host's (`nacre run -t`, `nacre exec -t`).
//!
//! The user's own terminal is in raw mode, so keys arrive here as bytes, and the line discipline in the enclave makes lines and signals of
//! them. A thread of the LibOS copies both ways, for as long as the host takes and gives bytes. The host sees every byte: see SECURITY.md.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_rt::{call, thread};
use host_abi::{HostFd, WindowSize as AskWindowSize};
use kobject::{Description, Errno, KernelSink, KernelSource, Mutex, Once, Result};
use libos_fs::{At, OpenHow};
use libos_io::{PollItem, Stream};
use libos_tty::WindowSize;
use linux_abi::{OpenFlags, PollEvents};

use super::{Master, PseudoTerminal, resize};
use crate::signal::from_host;

/// Bytes that are copied at once.
const CHUNK: usize = 4096;

/// A terminal, and the host's streams that it is shown on.
pub(crate) struct Bridge {
    master: Arc<Description>,
    input: Arc<Description>,
    output: Arc<Description>,
    slave: Once<Arc<Description>>,
    /// Where the host's terminal is asked for its size.
    screen: HostFd,
    /// Output that the host has no room for.
    unsent: Mutex<Vec<u8>>,
    /// The host takes no more output: what is written is lost, as on a terminal that was unplugged.
    is_cut: AtomicBool,
    /// Nobody uses the terminal any more.
    is_over: AtomicBool,
}

/// That of the container's first process.
static FIRST: Once<Arc<Bridge>> = Once::new();

impl Bridge {
    /// A new terminal of the calling process's user, shown on these streams. EMFILE and the like as for `/dev/ptmx`.
    pub(crate) fn new(input: Arc<Stream>, output: Arc<Stream>) -> Result<Arc<Self>> {
        let screen = output.descriptor();
        let vfs = crate::container().vfs();
        let flags = OpenFlags::O_RDWR | OpenFlags::O_NOCTTY | OpenFlags::O_NONBLOCK;
        let how = OpenHow::open(flags.bits(), 0)?;
        let master = vfs.open(&vfs.root_context(), At::Cwd, b"/dev/pts/ptmx", how)?;
        let flags = OpenFlags::O_RDWR | OpenFlags::O_NONBLOCK;
        let bridge = Arc::new(Self {
            master,
            input: Description::new(input, flags, b""),
            output: Description::new(output, flags, b""),
            slave: Once::new(),
            screen,
            unsent: Mutex::new(Vec::new()),
            is_cut: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        bridge.terminal()?.control.lock().is_locked = false;
        bridge.follow_size();
        Ok(bridge)
    }

    fn terminal(&self) -> Result<&Arc<PseudoTerminal>> {
        Ok(self.master.object_as::<Master>().ok_or(Errno::ENXIO)?.terminal())
    }

    /// Opens the slave, by which it becomes the controlling terminal of a calling session leader. The bridge keeps it open, too: when it
    /// ends is not the programs' affair.
    pub(crate) fn open(&self) -> Result<Arc<Description>> {
        let slave = super::open_by_name(self.terminal()?, OpenFlags::O_RDWR)?;
        Ok(self.slave.get_or_make(|| slave).clone())
    }

    /// Starts the thread that copies. EAGAIN if every thread of the enclave is in use.
    pub(crate) fn start(self: &Arc<Self>) -> Result<()> {
        let bridge = self.clone();
        thread::spawn(Box::new(move || bridge.copy()))
    }

    /// Gives the terminal the size that the host's has, whatever the host says it is.
    pub(crate) fn follow_size(&self) {
        if let (Ok((rows, columns)), Ok(terminal)) =
            (call::call(&AskWindowSize { fd: self.screen }), self.terminal())
        {
            resize(terminal, WindowSize([rows, columns, 0, 0]));
        }
    }

    /// Copies until nobody uses the terminal any more.
    fn copy(&self) {
        let mut has_input = true;
        while !self.is_over.load(Ordering::Acquire) {
            self.send();
            let room = self
                .terminal()
                .map_or(0, |terminal| terminal.look(|pair| pair.master_room()));
            let is_full = !self.unsent.lock().is_empty();
            let when = |is_wanted: bool, events| if is_wanted { events } else { PollEvents::empty() };
            let item = |file: &Arc<Description>, interest: PollEvents| PollItem {
                description: (!interest.is_empty()).then(|| file.clone()),
                interest,
                happened: PollEvents::empty(),
            };
            let mut items = [
                item(&self.input, when(has_input && room > 0, PollEvents::POLLIN)),
                item(&self.output, when(is_full, PollEvents::POLLOUT)),
                // While the host has no room, output waits in the terminal. Without input, this also waits for room for it.
                item(
                    &self.master,
                    when(!is_full, PollEvents::POLLIN) | when(room == 0, PollEvents::POLLOUT),
                ),
            ];
            if libos_io::poll(&mut items, None).is_err() {
                // What came meanwhile is for programs.
                thread::clear_pending();
                from_host::forward();
                continue;
            }
            if items.first().is_some_and(|input| !input.happened.is_empty()) {
                has_input = self.receive(room);
            }
        }
    }

    fn has_output(&self) -> bool {
        let is_readable = |terminal: &Arc<PseudoTerminal>| terminal.look(|pair| pair.master_is_readable());
        !self.unsent.lock().is_empty() || self.terminal().is_ok_and(is_readable)
    }

    /// Types what the host has; whether more may come.
    fn receive(&self, room: usize) -> bool {
        let mut sink = KernelSink::new(room.min(CHUNK));
        match self.input.read(&mut sink) {
            Ok(0) => false,
            Ok(_) => {
                let keys = sink.into_bytes();
                // There is room for all of them: nobody else types.
                self.master.write(&mut KernelSource(&keys)).is_ok()
            }
            Err(Errno::EAGAIN | Errno::EINTR) => true,
            Err(_) => false,
        }
    }

    /// Shows what the terminal has, as far as the host takes it without waiting.
    fn send(&self) {
        let mut unsent = self.unsent.lock();
        loop {
            if unsent.is_empty() {
                let mut sink = KernelSink::new(CHUNK);
                match self.master.read(&mut sink) {
                    Ok(count) if count > 0 => *unsent = sink.into_bytes(),
                    _ => return,
                }
            }
            if self.is_cut.load(Ordering::Relaxed) {
                unsent.clear();
                continue;
            }
            match self.output.write(&mut KernelSource(&unsent)) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(Errno::EAGAIN | Errno::EINTR) => return,
                Err(_) => self.is_cut.store(true, Ordering::Relaxed),
            }
        }
    }

    /// Shows all that programs have written, and waits for the host to take it.
    fn drain(&self) {
        loop {
            self.send();
            if !self.has_output() {
                return;
            }
            let mut items = [PollItem {
                description: Some(self.output.clone()),
                interest: PollEvents::POLLOUT,
                happened: PollEvents::empty(),
            }];
            if libos_io::poll(&mut items, None).is_err() {
                // Whoever drains ends: signals are for others.
                thread::clear_pending();
                from_host::forward();
            }
        }
    }

    /// Nobody uses the terminal any more. Programs can write nothing from here on; what they have written is shown before this returns.
    pub(crate) fn end(&self) {
        // First this: programs that write without end would be waited for without end.
        if let Ok(terminal) = self.terminal() {
            terminal.hang_up();
        }
        self.is_over.store(true, Ordering::Release);
        self.drain();
    }
}

/// Gives the container's first process, which calls, a terminal; gives its slave.
pub(crate) fn open_first() -> Result<Option<Arc<Description>>> {
    let terminal = || {
        Arc::new(libos_io::Terminal {
            foreground: 0.into(),
            session: 0.into(),
        })
    };
    let input = Stream::open(HostFd::STDIN, terminal())?;
    let output = Stream::open(HostFd::STDOUT, terminal())?;
    let (Some(input), Some(output)) = (input, output) else {
        return Ok(None);
    };
    let bridge = Bridge::new(input, output)?;
    let slave = bridge.open()?;
    bridge.start()?;
    FIRST.get_or_make(|| bridge);
    Ok(Some(slave))
}

/// The host's window has another size; whether the container has a terminal that takes it.
pub(crate) fn follow_first_size() -> bool {
    let first = FIRST.get();
    if let Some(bridge) = first {
        bridge.follow_size();
    }
    first.is_some()
}

/// The container ends, and its terminal before it.
pub(crate) fn end_first() {
    if let Some(bridge) = FIRST.get() {
        bridge.end();
    }
}
