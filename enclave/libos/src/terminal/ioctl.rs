//! ioctl_tty(2).

use alloc::sync::Arc;

use kobject::{Errno, Result};
use libos_tty::{Settings, WindowSize};
use linux_abi::termios::N_TTY;
use linux_abi::{Capabilities, FlowAction, FlushQueue, Ioctl, Signal};

use super::{PseudoTerminal, job_control};
use crate::process::CURRENT;
use crate::user;

/// Of a master. Settings, size and foreground are those of its slave.
pub(super) fn master(terminal: &Arc<PseudoTerminal>, request: Ioctl, argument: u64) -> Result<u64> {
    match request {
        Ioctl::TIOCGPTN => put_int(argument, terminal.number),
        Ioctl::TIOCSPTLCK => {
            let is_locked = user::get::<i32>(argument)? != 0;
            terminal.control.lock().is_locked = is_locked;
            Ok(0)
        }
        Ioctl::TIOCGPTLCK => put_int(argument, u32::from(terminal.control.lock().is_locked)),
        Ioctl::TIOCPKT => {
            let is_on = user::get::<i32>(argument)? != 0;
            terminal.look(|pair| pair.set_packets(is_on));
            Ok(0)
        }
        Ioctl::TIOCGPKT => put_int(argument, u32::from(terminal.look(|pair| pair.has_packets()))),
        Ioctl::FIONREAD => put_int(argument, terminal.look(|pair| pair.master_unread()) as u32),
        Ioctl::TIOCGPGRP => put_int(argument, job_control::foreground(terminal, false)?),
        Ioctl::TIOCGSID => put_int(argument, job_control::session(terminal, false)?),
        // What a program writes is what the master reads, and the other way round.
        Ioctl::TCFLSH => {
            let queue = match flush_queue(argument)? {
                FlushQueue::TCIFLUSH => FlushQueue::TCOFLUSH,
                FlushQueue::TCOFLUSH => FlushQueue::TCIFLUSH,
                both => both,
            };
            terminal.with(|pair| pair.flush(queue));
            Ok(0)
        }
        Ioctl::TIOCSCTTY | Ioctl::TIOCNOTTY | Ioctl::TCXONC => Err(Errno::ENOTTY),
        _ => both(terminal, request, argument),
    }
}

/// Of a slave. EIO after a hang-up.
pub(super) fn slave(terminal: &Arc<PseudoTerminal>, request: Ioctl, argument: u64) -> Result<u64> {
    if terminal.is_hung_up() {
        return Err(match request {
            Ioctl::TIOCSPGRP => Errno::ENOTTY,
            _ => Errno::EIO,
        });
    }
    match request {
        Ioctl::TCSETS
        | Ioctl::TCSETSW
        | Ioctl::TCSETSF
        | Ioctl::TCSETS2
        | Ioctl::TCSETSW2
        | Ioctl::TCSETSF2
        | Ioctl::TCFLSH
        | Ioctl::TCXONC
        | Ioctl::TCSBRK
        | Ioctl::TCSBRKP
        | Ioctl::TIOCSBRK
        | Ioctl::TIOCCBRK
        | Ioctl::TIOCSETD => job_control::check(terminal, Signal::SIGTTOU)?,
        _ => {}
    }
    match request {
        Ioctl::FIONREAD => put_int(argument, terminal.look(|pair| pair.slave_unread()) as u32),
        Ioctl::TIOCGPGRP => put_int(argument, job_control::foreground(terminal, true)?),
        Ioctl::TIOCGSID => put_int(argument, job_control::session(terminal, true)?),
        Ioctl::TIOCNOTTY => job_control::give_up(terminal).map(|()| 0),
        Ioctl::TCFLSH => {
            let queue = flush_queue(argument)?;
            terminal.with(|pair| pair.flush(queue));
            Ok(0)
        }
        Ioctl::TCXONC => {
            let action = FlowAction(argument as u32);
            if ![
                FlowAction::TCOOFF,
                FlowAction::TCOON,
                FlowAction::TCIOFF,
                FlowAction::TCION,
            ]
            .contains(&action)
            {
                return Err(Errno::EINVAL);
            }
            terminal.with(|pair| pair.flow(action));
            Ok(0)
        }
        Ioctl::TIOCPKT
        | Ioctl::TIOCGPKT
        | Ioctl::TIOCGPTN
        | Ioctl::TIOCSPTLCK
        | Ioctl::TIOCGPTLCK
        | Ioctl::TIOCGPTPEER => Err(Errno::ENOTTY),
        _ => both(terminal, request, argument),
    }
}

fn both(terminal: &Arc<PseudoTerminal>, request: Ioctl, argument: u64) -> Result<u64> {
    match request {
        Ioctl::TCGETS => {
            let settings = terminal.look(|pair| pair.settings().to_bytes());
            user::put_bytes(
                argument,
                settings.first_chunk::<{ Settings::SIZE }>().ok_or(Errno::EIO)?,
            )?;
        }
        Ioctl::TCGETS2 => {
            let settings = terminal.look(|pair| pair.settings().to_bytes());
            user::put_bytes(argument, &settings)?;
        }
        // A pseudo-terminal's output is with the master at once, so there is nothing to wait for.
        Ioctl::TCSETS | Ioctl::TCSETSW => set(terminal, &Settings::from_bytes(&user::get(argument)?), false),
        Ioctl::TCSETSF => set(terminal, &Settings::from_bytes(&user::get(argument)?), true),
        Ioctl::TCSETS2 | Ioctl::TCSETSW2 => {
            set(terminal, &Settings::from_bytes2(&user::get(argument)?), false);
        }
        Ioctl::TCSETSF2 => set(terminal, &Settings::from_bytes2(&user::get(argument)?), true),
        Ioctl::TIOCGWINSZ => user::put_bytes(argument, &terminal.look(|pair| pair.size()).to_bytes())?,
        Ioctl::TIOCSWINSZ => resize(terminal, WindowSize::from_bytes(user::get(argument)?)),
        Ioctl::TIOCSPGRP => job_control::set_foreground(terminal, user::get(argument)?)?,
        Ioctl::TIOCOUTQ => return put_int(argument, 0),
        Ioctl::TIOCGETD => return put_int(argument, N_TTY),
        Ioctl::TIOCSETD if user::get::<u32>(argument)? == N_TTY => {}
        Ioctl::TIOCSETD => return Err(Errno::EINVAL),
        Ioctl::TIOCGDEV => return put_int(argument, terminal.device() as u32),
        Ioctl::TIOCEXCL => terminal.control.lock().is_exclusive = true,
        Ioctl::TIOCNXCL => terminal.control.lock().is_exclusive = false,
        Ioctl::TIOCGEXCL => return put_int(argument, u32::from(terminal.control.lock().is_exclusive)),
        // A break is of serial lines.
        Ioctl::TCSBRK | Ioctl::TCSBRKP | Ioctl::TIOCSBRK | Ioctl::TIOCCBRK => {}
        // Typing for others is off, as in Linux's dev.tty.legacy_tiocsti = 0.
        Ioctl::TIOCSTI => return Err(Errno::EIO),
        Ioctl::TIOCVHANGUP => {
            CURRENT.with(|thread| thread.credentials().require(Capabilities::CAP_SYS_ADMIN))?;
            return Err(Errno::ENOTTY);
        }
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

fn put_int(argument: u64, value: u32) -> Result<u64> {
    user::put(argument, &value)?;
    Ok(0)
}

fn flush_queue(argument: u64) -> Result<FlushQueue> {
    let queue = FlushQueue(argument as u32);
    match [FlushQueue::TCIFLUSH, FlushQueue::TCOFLUSH, FlushQueue::TCIOFLUSH].contains(&queue) {
        true => Ok(queue),
        false => Err(Errno::EINVAL),
    }
}

/// TCSETSF also throws away what has not been read.
fn set(terminal: &PseudoTerminal, settings: &Settings, flushes: bool) {
    terminal.with(|pair| {
        if flushes {
            pair.flush(FlushQueue::TCIFLUSH);
        }
        pair.set_settings(settings.clone());
    });
}

/// Gives a terminal another size, and tells its foreground.
pub(crate) fn resize(terminal: &PseudoTerminal, size: WindowSize) {
    if terminal.look(|pair| pair.set_size(size)) {
        job_control::tell_size(terminal);
    }
}
