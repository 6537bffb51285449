//! Job control (credentials(7), termios(3), drivers/tty/tty_jobctrl.c of Linux): whose controlling terminal a terminal is, which process
//! group is in its foreground, and what those that are not may do.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use enclave_rt::thread::set_pending;
use kobject::{Errno, Result};
use libos_tty::Keys;
use linux_abi::signal::SIG_IGN;
use linux_abi::{Capabilities, Signal, SignalCode};

use super::PseudoTerminal;
use crate::process::{CURRENT, Process, stop, table};
use crate::signal::{SignalInfo, send};

impl PseudoTerminal {
    /// Whether it is the controlling terminal of a process.
    pub(super) fn controls(&self, process: &Process) -> bool {
        let terminal = process.terminal.lock();
        terminal.as_ref().is_some_and(|own| core::ptr::eq(&**own, self))
    }
}

fn session_of(process: &Process) -> u32 {
    process.session.load(Ordering::Relaxed)
}

fn leads(process: &Process) -> bool {
    session_of(process) == process.pid
}

/// Sends a signal of the kernel's to all processes of a group.
fn send_to_group(group: u32, signal: Signal) {
    for process in table::processes() {
        if group != 0 && process.group.load(Ordering::Relaxed) == group {
            send_to(&process, signal);
        }
    }
}

fn send_to(process: &Arc<Process>, signal: Signal) {
    // A full queue loses it, as on Linux.
    let _ = send::to_process(process, SignalInfo::new(signal, SignalCode::SI_KERNEL));
}

/// The keys of the terminal signal its foreground.
pub(super) fn send_keys(terminal: &PseudoTerminal, keys: Keys) {
    let met = [
        (keys.interrupt, Signal::SIGINT),
        (keys.quit, Signal::SIGQUIT),
        (keys.suspend, Signal::SIGTSTP),
    ];
    for (_, signal) in met.into_iter().filter(|(is_met, _)| *is_met) {
        send_to_group(terminal.foreground(), signal);
    }
}

/// The terminal has another size.
pub(super) fn tell_size(terminal: &PseudoTerminal) {
    send_to_group(terminal.foreground(), Signal::SIGWINCH);
}

/// Whether the calling process may use a terminal now. One in the background of its own terminal is sent `signal`, and EINTR makes the
/// system call again when it has been continued; EIO where that can have no effect (tty_check_change of the kernel).
pub(super) fn check(terminal: &PseudoTerminal, signal: Signal) -> Result<()> {
    CURRENT.with(|thread| {
        let process = &thread.process;
        let (group, foreground) = (process.group.load(Ordering::Relaxed), terminal.foreground());
        if foreground == 0 || group == foreground || !terminal.controls(process) {
            return Ok(());
        }
        let is_ignored = process.actions.lock().of(signal).handler == SIG_IGN;
        if is_ignored || thread.blocks(signal) {
            return match signal {
                Signal::SIGTTIN => Err(Errno::EIO),
                _ => Ok(()),
            };
        }
        if stop::is_orphaned(group) {
            return Err(Errno::EIO);
        }
        send_to_group(group, signal);
        set_pending();
        Err(Errno::EINTR)
    })
}

/// A session's leader without a terminal opens one that controls no session: it becomes the session's.
pub(super) fn acquire(terminal: &Arc<PseudoTerminal>) {
    CURRENT.with(|thread| {
        let process = &thread.process;
        let is_free = terminal.control.lock().session == 0;
        if is_free && leads(process) && process.terminal.lock().is_none() {
            give(terminal, process);
        }
    });
}

/// Makes it the controlling terminal of a session, by its leader.
pub(crate) fn give(terminal: &Arc<PseudoTerminal>, leader: &Process) {
    {
        let mut control = terminal.control.lock();
        control.session = session_of(leader);
        control.foreground = leader.group.load(Ordering::Relaxed);
    }
    *leader.terminal.lock() = Some(terminal.clone());
}

/// TIOCSCTTY; `steals` asks to take it from another session. `is_readable` is whether the descriptor is open for reading.
pub(crate) fn take(terminal: &Arc<PseudoTerminal>, steals: bool, is_readable: bool) -> Result<()> {
    CURRENT.with(|thread| {
        let process = &thread.process;
        let session = terminal.control.lock().session;
        if leads(process) && session == session_of(process) {
            return Ok(());
        }
        if !leads(process) || process.terminal.lock().is_some() {
            return Err(Errno::EPERM);
        }
        let is_admin = thread.credentials().has(Capabilities::CAP_SYS_ADMIN);
        if session != 0 {
            if !steals || !is_admin {
                return Err(Errno::EPERM);
            }
            take_from_session(session);
        }
        if !is_readable && !is_admin {
            return Err(Errno::EPERM);
        }
        give(terminal, process);
        Ok(())
    })
}

/// No process of a session has a controlling terminal any more.
fn take_from_session(session: u32) {
    for process in table::processes() {
        if session_of(&process) == session {
            // Dropped without the lock.
            let terminal = process.terminal.lock().take();
            drop(terminal);
        }
    }
}

/// TIOCNOTTY: the calling process gives its controlling terminal up; with a leader, its whole session does.
pub(super) fn give_up(terminal: &PseudoTerminal) -> Result<()> {
    CURRENT.with(|thread| {
        let process = &thread.process;
        if !terminal.controls(process) {
            return Err(Errno::ENOTTY);
        }
        if leads(process) {
            let foreground = release(terminal);
            send_to_group(foreground, Signal::SIGHUP);
            send_to_group(foreground, Signal::SIGCONT);
            take_from_session(session_of(process));
        }
        let own = process.terminal.lock().take();
        drop(own);
        Ok(())
    })
}

/// Nobody's any more; gives the group that was in its foreground.
fn release(terminal: &PseudoTerminal) -> u32 {
    let mut control = terminal.control.lock();
    control.session = 0;
    core::mem::take(&mut control.foreground)
}

/// The master was closed: the session loses its terminal, and its leader is told (tty_signal_session_leader of the kernel).
pub(super) fn hang_up(terminal: &PseudoTerminal) {
    let foreground = release(terminal);
    for process in table::processes() {
        if !terminal.controls(&process) {
            continue;
        }
        let own = process.terminal.lock().take();
        drop(own);
        if leads(&process) {
            process.former_foreground.store(foreground, Ordering::Relaxed);
            send_to(&process, Signal::SIGHUP);
            send_to(&process, Signal::SIGCONT);
        }
    }
}

/// A process has ended: with a session's leader the session loses its terminal, and the foreground is told (disassociate_ctty of the kernel).
pub(crate) fn leader_ended(process: &Process) {
    if !leads(process) {
        return;
    }
    let terminal = process.terminal.lock().clone();
    match terminal {
        Some(terminal) => {
            let foreground = release(&terminal);
            send_to_group(foreground, Signal::SIGHUP);
            take_from_session(session_of(process));
        }
        None => {
            let foreground = process.former_foreground.swap(0, Ordering::Relaxed);
            send_to_group(foreground, Signal::SIGHUP);
            send_to_group(foreground, Signal::SIGCONT);
        }
    }
}

/// TIOCGPGRP: ENOTTY to a slave's user whose controlling terminal it is not.
pub(super) fn foreground(terminal: &PseudoTerminal, is_slave: bool) -> Result<u32> {
    may_ask(terminal, is_slave)?;
    Ok(terminal.foreground())
}

/// TIOCGSID.
pub(super) fn session(terminal: &PseudoTerminal, is_slave: bool) -> Result<u32> {
    may_ask(terminal, is_slave)?;
    match terminal.control.lock().session {
        0 => Err(Errno::ENOTTY),
        session => Ok(session),
    }
}

fn may_ask(terminal: &PseudoTerminal, is_slave: bool) -> Result<()> {
    let is_own = || CURRENT.with(|thread| terminal.controls(&thread.process));
    if is_slave && !is_own() {
        Err(Errno::ENOTTY)
    } else {
        Ok(())
    }
}

/// TIOCSPGRP: ENOTTY if it is not the calling process's terminal, ESRCH for no group, EPERM for one of another session.
pub(super) fn set_foreground(terminal: &PseudoTerminal, group: i32) -> Result<()> {
    check(terminal, Signal::SIGTTOU).map_err(|error| match error {
        Errno::EIO => Errno::ENOTTY,
        error => error,
    })?;
    let group = u32::try_from(group).map_err(|_| Errno::EINVAL)?;
    CURRENT.with(|thread| {
        let process = &thread.process;
        let session = session_of(process);
        if !terminal.controls(process) || terminal.control.lock().session != session {
            return Err(Errno::ENOTTY);
        }
        let members = table::processes();
        let is_member = |other: &&Arc<Process>| other.group.load(Ordering::Relaxed) == group;
        let member = members.iter().find(is_member).ok_or(Errno::ESRCH)?;
        if session_of(member) != session {
            return Err(Errno::EPERM);
        }
        terminal.control.lock().foreground = group;
        Ok(())
    })
}
