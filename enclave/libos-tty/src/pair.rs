//! A pseudo-terminal: the line discipline between its master and its slave.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use linux_abi::termios::TIOCPKT_DATA;
use linux_abi::{FlowAction, FlushQueue, InputModes, LocalModes, PacketStatus};

use crate::erase::{self, Erase, echo, erase};
use crate::input::{END_OF_FILE, Input};
use crate::output::Output;
use crate::{Settings, WindowSize};

/// Bytes that the master may write ahead of the line discipline (pty_common_install of the kernel).
const MOST_INCOMING: usize = 8192;

/// The control characters of flow that count for packet mode: Ctrl-S and Ctrl-Q.
const USUAL_FLOW: [u8; 2] = [0x13, 0x11];

/// Keys that send signals to the foreground: which were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// INTR: SIGINT.
    pub interrupt: bool,
    /// QUIT: SIGQUIT.
    pub quit: bool,
    /// SUSP: SIGTSTP.
    pub suspend: bool,
}

/// What a read of the slave waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A line.
    Line,
    /// At least so many bytes, 0 for what there is. `time` is in tenths of a second, 0 for ever: how long all of it may take if `minimum`
    /// is 0, else how long after each byte.
    Bytes {
        /// VMIN.
        minimum: usize,
        /// VTIME.
        time: u8,
    },
}

/// A pseudo-terminal. Nothing here waits: who finds no room or nothing to read is told so by a count of 0.
///
/// It keeps at most 8 KiB that the master has written, 4 KiB that a program can read, and 8 KiB of output with 4 KiB of echo.
#[derive(Debug, Default)]
pub struct Pair {
    settings: Settings,
    size: WindowSize,
    /// What the master has written and the line discipline has no room for.
    incoming: VecDeque<u8>,
    input: Input,
    output: Output,
    /// The next character is taken as it is (LNEXT).
    is_literal: bool,
    /// Erased characters are being shown (ECHOPRT).
    is_erasing: bool,
    /// Output was stopped by TCXONC: no key starts it.
    is_stopped_by_program: bool,
    /// The master reads in packets (TIOCPKT), and is to be told this.
    packets: bool,
    status: PacketStatus,
    keys: Keys,
}

impl Pair {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the keys that were met since this was last asked.
    pub fn take_keys(&mut self) -> Keys {
        core::mem::take(&mut self.keys)
    }
}

/// The master's side.
impl Pair {
    /// Bytes that the master can write now.
    pub fn master_room(&self) -> usize {
        MOST_INCOMING.saturating_sub(self.incoming.len())
    }

    /// The master writes, as somebody types: gives how many bytes there was room for.
    pub fn write_master(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.master_room());
        self.incoming.extend(bytes.iter().take(count));
        self.receive();
        count
    }

    /// Bytes that the master can read now; in packet mode with a byte in front of them.
    pub fn master_unread(&self) -> usize {
        self.output.len()
    }

    /// Whether a read of the master gives something.
    pub fn master_is_readable(&self) -> bool {
        self.output.len() > 0 || self.has_status()
    }

    /// Whether the master has to be told something (POLLPRI).
    pub fn has_status(&self) -> bool {
        self.packets && !self.status.is_empty()
    }

    /// The master reads at most `most` bytes; nothing if there is nothing.
    pub fn read_master(&mut self, most: usize) -> Vec<u8> {
        if most == 0 {
            return Vec::new();
        }
        if self.has_status() {
            return alloc::vec![core::mem::take(&mut self.status).bits()];
        }
        if !self.packets {
            return self.output.take(most);
        }
        let data = self.output.take(most - 1);
        if data.is_empty() {
            return data;
        }
        [&[TIOCPKT_DATA], &*data].concat()
    }

    /// TIOCPKT: turns packet mode on or off.
    pub fn set_packets(&mut self, on: bool) {
        if on && !self.packets {
            self.status = PacketStatus::empty();
        }
        self.packets = on;
    }

    /// TIOCGPKT.
    pub fn has_packets(&self) -> bool {
        self.packets
    }

    fn tell(&mut self, status: PacketStatus, instead_of: PacketStatus) {
        if self.packets {
            self.status = (self.status - instead_of) | status;
        }
    }
}

/// The slave's side.
impl Pair {
    /// Bytes that a program can write now.
    pub fn slave_room(&self) -> usize {
        self.output.room()
    }

    /// A program writes: gives how many bytes were taken.
    pub fn write_slave(&mut self, bytes: &[u8]) -> usize {
        self.output.write(bytes, &self.settings)
    }

    /// What a read waits for.
    pub fn need(&self) -> Need {
        match self.settings.is_canonical() {
            true => Need::Line,
            false => Need::Bytes {
                minimum: self.settings.minimum(),
                time: self.settings.time(),
            },
        }
    }

    /// Whether a read gives something.
    pub fn slave_is_readable(&self) -> bool {
        match self.settings.is_canonical() {
            true => self.input.has_line(),
            false => self.input.len() > 0,
        }
    }

    /// Whether poll(2) says that it can be read: with VTIME 0, VMIN counts.
    pub fn slave_polls_readable(&self) -> bool {
        match self.need() {
            Need::Bytes { minimum, time: 0 } => self.input.len() >= minimum.max(1),
            _ => self.slave_is_readable(),
        }
    }

    /// FIONREAD.
    pub fn slave_unread(&self) -> usize {
        match self.settings.is_canonical() {
            true => self.input.in_lines(),
            false => self.input.len(),
        }
    }

    /// A program reads at most `most` bytes, of one line in canonical mode. With a line there, nothing means the end of the file.
    pub fn read_slave(&mut self, most: usize) -> Vec<u8> {
        let bytes = match self.settings.is_canonical() {
            true => self.input.read_line(most),
            false => self.input.read_bytes(most),
        };
        self.receive();
        bytes
    }

    /// TCFLSH: throws away what has not been read, or what the master has not.
    pub fn flush(&mut self, queue: FlushQueue) {
        if queue != FlushQueue::TCOFLUSH {
            self.incoming.clear();
            self.flush_input();
            self.tell(PacketStatus::TIOCPKT_FLUSHREAD, PacketStatus::empty());
        }
        if queue != FlushQueue::TCIFLUSH {
            self.output.flush();
            self.tell(PacketStatus::TIOCPKT_FLUSHWRITE, PacketStatus::empty());
        }
    }

    /// TCXONC: stops output or lets it go on; or has the terminal do so with input, by its control characters.
    pub fn flow(&mut self, action: FlowAction) {
        match action {
            FlowAction::TCOOFF => {
                self.is_stopped_by_program = true;
                self.stop();
            }
            FlowAction::TCOON => {
                self.is_stopped_by_program = false;
                self.start();
            }
            _ => {
                let [stop, start] = self.settings.flow_characters();
                let byte = if action == FlowAction::TCIOFF { stop } else { start };
                if byte != 0 {
                    self.output.echo_raw(byte, &self.settings);
                }
            }
        }
    }
}

/// Settings, which both sides see and change.
impl Pair {
    /// TCGETS.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// TCSETS. What is there when lines begin to count is a line.
    pub fn set_settings(&mut self, new: Settings) {
        let old = core::mem::replace(&mut self.settings, new);
        let lines = LocalModes::ICANON | LocalModes::EXTPROC;
        if (old.local ^ self.settings.local).intersects(lines) {
            match self.settings.has(LocalModes::ICANON) {
                true => self.input.begin_lines(),
                false => self.input.end_lines(),
            }
            (self.is_erasing, self.is_literal) = (false, false);
        }
        let is_flow = |settings: &Settings| settings.has_input(InputModes::IXON);
        if is_flow(&old) && !is_flow(&self.settings) && !self.is_stopped_by_program {
            self.start();
        }
        self.tell_of_settings(&old);
        self.receive();
    }

    /// In packet mode the master learns who handles flow, and of changes with EXTPROC.
    fn tell_of_settings(&mut self, old: &Settings) {
        let is_extern = |settings: &Settings| settings.has(LocalModes::EXTPROC);
        if is_extern(old) || is_extern(&self.settings) {
            self.tell(PacketStatus::TIOCPKT_IOCTL, PacketStatus::empty());
        }
        let is_usual = |settings: &Settings| {
            settings.has_input(InputModes::IXON) && settings.flow_characters() == USUAL_FLOW
        };
        let (no, yes) = (PacketStatus::TIOCPKT_NOSTOP, PacketStatus::TIOCPKT_DOSTOP);
        match (is_usual(old), is_usual(&self.settings)) {
            (false, true) => self.tell(yes, no),
            (true, false) => self.tell(no, yes),
            _ => {}
        }
    }

    /// TIOCGWINSZ.
    pub fn size(&self) -> WindowSize {
        self.size
    }

    /// TIOCSWINSZ: whether it is another one now.
    pub fn set_size(&mut self, size: WindowSize) -> bool {
        core::mem::replace(&mut self.size, size) != size
    }
}

/// The line discipline: what was written by the master becomes input, echo and keys.
impl Pair {
    fn receive(&mut self) {
        while !self.incoming.is_empty() {
            // A line that is too long is cut, so that it can be ended; else the rest waits until something has been read.
            let is_cut = self.settings.has(LocalModes::ICANON) && !self.input.has_line();
            if self.input.is_full() && !is_cut {
                break;
            }
            if let Some(byte) = self.incoming.pop_front() {
                self.receive_byte(byte);
            }
        }
    }

    fn receive_byte(&mut self, byte: u8) {
        let mut byte = byte;
        let has_input = |mode| self.settings.has_input(mode);
        if has_input(InputModes::ISTRIP) {
            byte &= 0x7f;
        }
        if has_input(InputModes::IUCLC) && self.settings.has(LocalModes::IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if core::mem::take(&mut self.is_literal) {
            return self.receive_ordinary(byte);
        }
        if self.settings.has(LocalModes::EXTPROC) {
            return self.input.put(byte);
        }
        if has_input(InputModes::IXON) && self.receive_flow(byte) {
            return;
        }
        if self.settings.has(LocalModes::ISIG) && self.receive_key(byte) {
            return;
        }
        let is_any = InputModes::IXON | InputModes::IXANY;
        if self.settings.has_input(is_any) && !self.is_stopped_by_program {
            self.start();
        }
        let has_input = |mode| self.settings.has_input(mode);
        match byte {
            b'\r' if has_input(InputModes::IGNCR) => return,
            b'\r' if has_input(InputModes::ICRNL) => byte = b'\n',
            b'\n' if has_input(InputModes::INLCR) => byte = b'\r',
            _ => {}
        }
        if self.settings.has(LocalModes::ICANON) && self.receive_editing(byte) {
            return;
        }
        self.receive_ordinary(byte);
    }

    /// The characters that stop and start output.
    fn receive_flow(&mut self, byte: u8) -> bool {
        // A terminal whose two characters are the same starts only.
        if self.settings.is_start(byte) {
            if !self.is_stopped_by_program {
                self.start();
            }
            return true;
        }
        if self.settings.is_stop(byte) {
            self.stop();
            return true;
        }
        false
    }

    /// The keys that send signals; unless NOFLSH is set, they throw away what waits in both directions.
    fn receive_key(&mut self, byte: u8) -> bool {
        let keys = Keys {
            interrupt: self.settings.is_interrupt(byte),
            quit: self.settings.is_quit(byte),
            suspend: self.settings.is_suspend(byte),
        };
        // The first that fits, as the kernel asks.
        match keys {
            Keys { interrupt: true, .. } => self.keys.interrupt = true,
            Keys { quit: true, .. } => self.keys.quit = true,
            Keys { suspend: true, .. } => self.keys.suspend = true,
            _ => return false,
        }
        if !self.settings.has(LocalModes::NOFLSH) {
            self.output.flush();
            self.flush_input();
            let both = PacketStatus::TIOCPKT_FLUSHREAD | PacketStatus::TIOCPKT_FLUSHWRITE;
            self.tell(both, PacketStatus::empty());
        }
        if self.settings.has_input(InputModes::IXON) && !self.is_stopped_by_program {
            self.start();
        }
        if self.settings.has(LocalModes::ECHO) {
            echo(byte, &mut self.output, &self.settings);
        }
        true
    }

    /// The characters that edit a line, or end it.
    fn receive_editing(&mut self, byte: u8) -> bool {
        let Self {
            settings,
            input,
            output,
            is_erasing,
            ..
        } = self;
        let echoes = settings.has(LocalModes::ECHO);
        let what = if settings.is_erase(byte) {
            Some(Erase::Character)
        } else if settings.is_kill(byte) {
            Some(Erase::Line)
        } else if settings.is_word_erase(byte) {
            Some(Erase::Word)
        } else {
            None
        };
        if let Some(what) = what {
            erase(what, is_erasing, input, output, settings);
        } else if settings.is_literal_next(byte) {
            if echoes {
                erase::finish(is_erasing, output, settings);
                if settings.has(LocalModes::ECHOCTL) {
                    output.echo_raw(b'^', settings);
                    output.echo_raw(b'\x08', settings);
                }
            }
            self.is_literal = true;
        } else if settings.is_reprint(byte) {
            erase::finish(is_erasing, output, settings);
            echo(byte, output, settings);
            output.echo_raw(b'\n', settings);
            input.edited().for_each(|byte| echo(byte, output, settings));
        } else if byte == b'\n' {
            if echoes || settings.has(LocalModes::ECHONL) {
                output.echo_raw(b'\n', settings);
            }
            input.end_line(byte);
        } else if settings.is_end_of_file(byte) {
            input.end_line(END_OF_FILE);
        } else if settings.is_end_of_line(byte) {
            if echoes {
                if input.is_at_line_start() {
                    output.begin_line();
                }
                echo(byte, output, settings);
            }
            self.put_doubled(byte);
            self.input.end_line(byte);
        } else {
            return false;
        }
        true
    }

    fn receive_ordinary(&mut self, byte: u8) {
        let Self {
            settings,
            input,
            output,
            is_erasing,
            ..
        } = self;
        if settings.has(LocalModes::ECHO) {
            erase::finish(is_erasing, output, settings);
            if byte == b'\n' {
                output.echo_raw(byte, settings);
            } else {
                if input.is_at_line_start() {
                    output.begin_line();
                }
                echo(byte, output, settings);
            }
        }
        self.put_doubled(byte);
        self.input.put(byte);
    }

    /// With PARMRK, 0xff announces an error, so a 0xff that was received comes twice.
    fn put_doubled(&mut self, byte: u8) {
        if byte == 0xff && self.settings.has_input(InputModes::PARMRK) {
            self.input.put(byte);
        }
    }

    fn flush_input(&mut self) {
        self.input.flush();
        (self.is_erasing, self.is_literal) = (false, false);
    }

    fn stop(&mut self) {
        if !self.output.is_stopped {
            self.output.is_stopped = true;
            self.tell(PacketStatus::TIOCPKT_STOP, PacketStatus::TIOCPKT_START);
        }
    }

    fn start(&mut self) {
        if self.output.is_stopped {
            self.output.start();
            self.tell(PacketStatus::TIOCPKT_START, PacketStatus::TIOCPKT_STOP);
        }
    }
}

#[cfg(test)]
mod tests;
