//! The user's terminal in raw mode, while a terminal in the enclave does the work: keys go there as bytes.
//!
//! The mode is restored on every way out of the process that leaves it the time: its end with the container, errors, and fatal failures.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::Mutex;

/// The settings to restore: of standard input.
static SAVED: Mutex<Option<libc::termios>> = Mutex::new(None);

/// Whether standard input and output are terminals.
pub fn is_interactive() -> bool {
    [libc::STDIN_FILENO, libc::STDOUT_FILENO]
        .into_iter()
        .all(is_terminal)
}

/// Whether standard input is a terminal.
pub fn input_is_terminal() -> bool {
    is_terminal(libc::STDIN_FILENO)
}

fn is_terminal(fd: libc::c_int) -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::isatty(fd) == 1 }
}

/// Restores the terminal when dropped: an error ends the process without a container.
#[must_use = "the terminal is restored when this is dropped"]
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Puts the terminal of standard input into raw mode; nothing if it is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enter() -> io::Result<Self> {
        if !input_is_terminal() {
            return Ok(Self(()));
        }
        let mut settings = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: writes the structure.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: written, since the call succeeded.
        let saved = unsafe { settings.assume_init() };
        let mut raw = saved;
        // SAFETY: changes the structure.
        unsafe { libc::cfmakeraw(&raw mut raw) };
        set(&raw)?;
        if let Ok(mut place) = SAVED.lock() {
            *place = Some(saved);
        }
        Ok(Self(()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal, if it is in raw mode.
pub fn restore() {
    let saved = SAVED.lock().ok().and_then(|mut saved| saved.take());
    if let Some(saved) = saved {
        // Nobody is left to tell if it fails.
        let _ = set(&saved);
    }
}

/// Nothing is typed: standard input becomes an empty one.
///
/// # Errors
/// When the kernel refuses.
pub fn close_input() -> io::Result<()> {
    let nothing = std::fs::File::open("/dev/null")?;
    // SAFETY: two open descriptors.
    match unsafe { libc::dup2(nothing.as_raw_fd(), libc::STDIN_FILENO) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Text as the terminal shows it: in raw mode a new line does not begin at its left.
pub(crate) fn shown(text: String) -> String {
    let is_raw = SAVED.lock().is_ok_and(|saved| saved.is_some());
    if is_raw { text.replace('\n', "\r\n") } else { text }
}

/// Once all output has been shown.
fn set(settings: &libc::termios) -> io::Result<()> {
    // SAFETY: a valid structure.
    match unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, settings) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
