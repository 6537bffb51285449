//! What goes from the slave's side to the master: output processing, and the column that the cursor is in.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use linux_abi::termios::TABDLY;
use linux_abi::{InputModes, OutputModes};

use crate::{Settings, is_control};

/// Bytes that programs may write ahead of the master.
const MOST_WRITTEN: usize = 8192;

/// Bytes of echo beyond that; more of it is lost, as in Linux's echo buffer.
const MOST_ECHOED: usize = 4096;

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// The queue towards the master.
#[derive(Debug, Default)]
pub(crate) struct Output {
    queue: VecDeque<u8>,
    /// Echo that waits until output is no longer stopped.
    held: VecDeque<u8>,
    /// Where the cursor is.
    column: usize,
    /// Where the line that is being edited begins.
    pub(crate) line_column: usize,
    pub(crate) is_stopped: bool,
}

/// One byte as output processing turns it: at most a tab's worth of spaces.
struct Processed {
    bytes: [u8; TAB],
    len: usize,
}

impl Processed {
    fn of(bytes: &[u8]) -> Self {
        let mut all = [b' '; TAB];
        all.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        Self {
            bytes: all,
            len: bytes.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Output {
    /// Bytes that the master can read.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes that a program can write now.
    pub(crate) fn room(&self) -> usize {
        match self.is_stopped {
            true => 0,
            false => match MOST_WRITTEN.saturating_sub(self.queue.len()) {
                // Whatever is written next must fit.
                0..TAB => 0,
                room => room,
            },
        }
    }

    /// Writes what fits of `bytes`; gives how many it took.
    pub(crate) fn write(&mut self, bytes: &[u8], settings: &Settings) -> usize {
        let is_processed = settings.has_output(OutputModes::OPOST);
        let mut taken = 0;
        for &byte in bytes {
            if self.room() == 0 {
                break;
            }
            if is_processed {
                let processed = self.process(byte, settings);
                self.queue.extend(processed.bytes());
            } else {
                self.queue.push_back(byte);
            }
            taken += 1;
        }
        taken
    }

    /// Takes at most `most` bytes for the master.
    pub(crate) fn take(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.queue.len());
        self.queue.drain(..count).collect()
    }

    /// Throws away what the master has not read.
    pub(crate) fn flush(&mut self) {
        self.queue.clear();
        self.held.clear();
    }

    /// Output goes on.
    pub(crate) fn start(&mut self) {
        self.is_stopped = false;
        let held = core::mem::take(&mut self.held);
        held.into_iter().for_each(|byte| self.put(byte));
    }

    /// Echoes a byte as it is, through output processing.
    pub(crate) fn echo_raw(&mut self, byte: u8, settings: &Settings) {
        if settings.has_output(OutputModes::OPOST) {
            let processed = self.process(byte, settings);
            processed.bytes().iter().for_each(|&byte| self.put(byte));
        } else {
            self.put(byte);
        }
    }

    /// Echoes a control character as `^X`.
    pub(crate) fn echo_control(&mut self, byte: u8) {
        self.put(b'^');
        self.put(byte ^ 0o100);
        self.column = self.column.saturating_add(2);
    }

    /// The line that is being edited begins here.
    pub(crate) fn begin_line(&mut self) {
        self.line_column = self.column;
    }

    /// The cursor stands one column further left than was counted.
    pub(crate) fn move_back(&mut self) {
        self.column = self.column.saturating_sub(1);
    }

    /// Goes back over a tab that stood behind `columns` columns, of the line or (`after_tab`) since another tab.
    pub(crate) fn erase_tab(&mut self, columns: usize, after_tab: bool) {
        let from = if after_tab { 0 } else { self.line_column };
        let back = TAB - columns.wrapping_add(from) % TAB;
        for _ in 0..back {
            self.put(b'\x08');
            self.move_back();
        }
    }

    fn put(&mut self, byte: u8) {
        if self.is_stopped {
            if self.held.len() < MOST_ECHOED {
                self.held.push_back(byte);
            }
        } else if self.queue.len() < MOST_WRITTEN + MOST_ECHOED {
            self.queue.push_back(byte);
        }
    }

    /// do_output_char of the kernel.
    fn process(&mut self, byte: u8, settings: &Settings) -> Processed {
        let has = |mode| settings.has_output(mode);
        match byte {
            b'\n' => {
                if has(OutputModes::ONLRET) || has(OutputModes::ONLCR) {
                    self.column = 0;
                }
                self.line_column = self.column;
                match has(OutputModes::ONLCR) {
                    true => Processed::of(b"\r\n"),
                    false => Processed::of(b"\n"),
                }
            }
            b'\r' if has(OutputModes::ONOCR) && self.column == 0 => Processed::of(b""),
            b'\r' => {
                let becomes_newline = has(OutputModes::OCRNL);
                if !becomes_newline || has(OutputModes::ONLRET) {
                    (self.column, self.line_column) = (0, 0);
                }
                Processed::of(if becomes_newline { b"\n" } else { b"\r" })
            }
            b'\t' => {
                let spaces = TAB - self.column % TAB;
                self.column = self.column.saturating_add(spaces);
                let delay = settings.output.bits() & TABDLY;
                match delay == OutputModes::XTABS.bits() {
                    true => Processed {
                        bytes: [b' '; TAB],
                        len: spaces,
                    },
                    false => Processed::of(b"\t"),
                }
            }
            b'\x08' => {
                self.move_back();
                Processed::of(&[byte])
            }
            _ if is_control(byte) => Processed::of(&[byte]),
            _ => {
                if !is_continuation(byte, settings) {
                    self.column = self.column.saturating_add(1);
                }
                match has(OutputModes::OLCUC) {
                    true => Processed::of(&[byte.to_ascii_uppercase()]),
                    false => Processed::of(&[byte]),
                }
            }
        }
    }
}

/// Whether a byte goes on with a character of UTF-8.
pub(crate) fn is_continuation(byte: u8, settings: &Settings) -> bool {
    settings.has_input(InputModes::IUTF8) && byte & 0xc0 == 0x80
}
