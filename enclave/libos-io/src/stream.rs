//! Standard input, output and error: the host process's own, whatever they are there.

use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering};

use enclave_rt::{call, user};
use host_abi::{
    HostFd, Queue, Queued, STAGING_SIZE, StreamKind, StreamRead, StreamStat, StreamWrite, TerminalGet,
    TerminalSet, WindowSize,
};
use kobject::{Attributes, Errno, File, FileKind, How, Result, Sink, Source, Stat};
use linux_abi::{Ioctl, OpenFlags, PollEvents, device};

use crate::anonymous;
use crate::host::{OwnedHostFd, call_until, send_staged};

/// The container's terminal, if it has one: who is in its foreground is the container's affair, not the
/// host's.
pub struct Terminal {
    /// The foreground process group.
    pub foreground: AtomicU32,
    /// The session that the terminal controls.
    pub session: AtomicU32,
}

/// A standard stream, of the container or of a program that `nacre exec` runs in it.
pub struct Stream {
    fd: HostFd,
    /// Which standard stream it is to its program.
    role: HostFd,
    /// Closes a descriptor that was lent.
    _lent: Option<OwnedHostFd>,
    kind: StreamKind,
    terminal: Arc<Terminal>,
    attributes: Attributes,
}

impl Stream {
    /// Standard stream 0, 1 or 2; `None` if the host says that it is closed.
    pub fn open(fd: HostFd, terminal: Arc<Terminal>) -> Result<Option<Arc<Self>>> {
        Self::with_role(fd, fd, terminal)
    }

    /// A descriptor that the host lends in the role of standard stream 0, 1 or 2; `None` if it says that it is closed.
    pub fn lent(fd: HostFd, role: HostFd, terminal: Arc<Terminal>) -> Result<Option<Arc<Self>>> {
        Self::with_role(fd, role, terminal)
    }

    fn with_role(fd: HostFd, role: HostFd, terminal: Arc<Terminal>) -> Result<Option<Arc<Self>>> {
        let kind = call::call(&StreamStat { fd })?;
        let is_lent = ![HostFd::STDIN, HostFd::STDOUT, HostFd::STDERR].contains(&fd);
        let stream = Self {
            fd,
            role,
            _lent: is_lent.then_some(OwnedHostFd::new(fd)),
            kind,
            terminal,
            attributes: Attributes::default(),
        };
        Ok((kind != StreamKind::Closed).then(|| Arc::new(stream)))
    }

    /// The host's descriptor.
    pub fn descriptor(&self) -> HostFd {
        self.fd
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.kind == StreamKind::Terminal
    }

    fn terminal_ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        let staging = call::staging().part(0, TerminalGet::SIZE);
        let fd = self.fd;
        match request {
            Ioctl::TCGETS => {
                call::call(&TerminalGet { fd })?;
                user::write_untrusted(argument, staging, TerminalGet::SIZE)?;
            }
            Ioctl::TCSETS | Ioctl::TCSETSW | Ioctl::TCSETSF => {
                user::read_untrusted(argument, staging, TerminalGet::SIZE)?;
                let when = (request.0 - Ioctl::TCSETS.0) as u8;
                call::call(&TerminalSet { fd, when })?;
            }
            Ioctl::TIOCGWINSZ => {
                let (rows, columns) = call::call(&WindowSize { fd })?;
                let size = [rows, columns, 0, 0].map(u16::to_ne_bytes);
                user::write(argument, size.as_flattened())?;
            }
            Ioctl::TIOCGPGRP => write_id(argument, &self.terminal.foreground)?,
            Ioctl::TIOCGSID => write_id(argument, &self.terminal.session)?,
            Ioctl::TIOCSPGRP => {
                let mut group = [0; 4];
                user::read(argument, &mut group)?;
                let group = u32::from_ne_bytes(group);
                if group.cast_signed() <= 0 {
                    return Err(Errno::EINVAL);
                }
                self.terminal.foreground.store(group, Ordering::Relaxed);
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }
}

fn write_id(argument: u64, id: &AtomicU32) -> Result<()> {
    Ok(user::write(argument, &id.load(Ordering::Relaxed).to_ne_bytes())?)
}

impl File for Stream {
    fn as_any(&self) -> &dyn Any {
        self
    }

    /// The same stream: what the host has open cannot be opened there once more. EACCES for the other direction of a
    /// pipe or file.
    fn reopen(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>> {
        let is_one_way = matches!(self.kind, StreamKind::Pipe | StreamKind::File);
        let fits = match self.role {
            HostFd::STDIN => flags.readable(),
            _ => flags.writable(),
        };
        match is_one_way && !fits {
            true => Err(Errno::EACCES),
            false => Ok(self),
        }
    }

    fn stat(&self) -> Result<Stat> {
        let (kind, permissions, device) = match self.kind {
            // The first pseudo-terminal, and /dev/null.
            StreamKind::Terminal => (FileKind::CharDevice, 0o620, device::DEV_PTS_0),
            StreamKind::Device => (FileKind::CharDevice, 0o666, device::DEV_NULL),
            StreamKind::File => (FileKind::Regular, 0o644, 0),
            StreamKind::Pipe | StreamKind::Closed => (FileKind::Fifo, 0o600, 0),
        };
        let inode = u64::from(self.fd.raw()) + 1;
        let mut stat = anonymous::stat(kind, permissions, inode)?;
        stat.special_device = device;
        Ok(self.attributes.apply(stat))
    }

    fn attributes(&self) -> Option<&Attributes> {
        Some(&self.attributes)
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        let len = to.room().min(STAGING_SIZE);
        if len == 0 {
            return Ok(0);
        }
        let deadline = how.nonblocking.then_some(0);
        let fd = self.fd;
        let count = call_until(deadline, |wait| StreamRead { fd, len, wait })?;
        to.put_untrusted(call::staging().part(0, count))?;
        Ok(count)
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        let deadline = how.nonblocking.then_some(0);
        let fd = self.fd;
        let mut done = 0;
        while from.left() > 0 {
            let staged = call::staging().part(0, from.left().min(STAGING_SIZE));
            from.take_untrusted(staged)?;
            let (count, end) = send_staged(staged, deadline, |len, wait| StreamWrite { fd, len, wait });
            done += count;
            match end {
                Err(error) if done == 0 => return Err(error),
                Ok(()) if count == staged.len() => {}
                _ => break,
            }
        }
        Ok((done, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        match self.host_fd() {
            Some(_) => PollEvents::empty(),
            None => interest & (PollEvents::READABLE | PollEvents::WRITABLE),
        }
    }

    fn host_fd(&self) -> Option<HostFd> {
        matches!(self.kind, StreamKind::Terminal | StreamKind::Pipe).then_some(self.fd)
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match request {
            Ioctl::FIONREAD => anonymous::answer_int(
                argument,
                call::call(&Queued {
                    fd: self.fd,
                    queue: Queue::Unread,
                })?,
            ),
            _ if self.is_terminal() => self.terminal_ioctl(request, argument),
            _ => Err(Errno::ENOTTY),
        }
    }
}
