//! Pseudo-terminals as state machines (pty(7), termios(3)): Linux's line discipline N_TTY, its queues and its settings.
//!
//! - [`Pair`]: a pseudo-terminal, with what each side can do: bytes in, bytes out, nothing waits;
//! - [`Settings`]: `struct termios`; [`WindowSize`]: `struct winsize`;
//! - [`Keys`]: the keys of INTR, QUIT and SUSP that were met, which the caller turns into signals.
//!
//! Who waits for whom, job control and system calls are `libos`'s. All queues are bounded: see [`Pair`]. Behaviour follows
//! drivers/tty/n_tty.c and drivers/tty/pty.c of Linux 6.6. What only serial lines have (parity, breaks, speeds) is remembered and has no
//! effect.
//!
//! Bytes of a terminal are the programs' data: nothing here prints or logs any.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod erase;
mod input;
mod output;
mod pair;
mod settings;

pub use pair::{Keys, Need, Pair};
pub use settings::{Settings, WindowSize};

/// Whether a byte is a control character (`iscntrl` of the kernel).
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}
