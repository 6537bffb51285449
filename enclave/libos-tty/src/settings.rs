//! `struct termios` and `struct winsize`.

use linux_abi::termios::{
    B38400, BOTHER, CBAUD, CREAD, CS8, CSIZE, NCCS, PARENB, VEOF, VEOL, VEOL2, VERASE, VINTR, VKILL, VLNEXT,
    VMIN, VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VTIME, VWERASE,
};
use linux_abi::{InputModes, LocalModes, OutputModes};

/// The settings of a terminal: the kernel's `struct termios2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(crate) input: InputModes,
    pub(crate) output: OutputModes,
    control: u32,
    pub(crate) local: LocalModes,
    line: u8,
    characters: [u8; NCCS],
    input_speed: u32,
    output_speed: u32,
}

/// Control characters of a new terminal (INIT_C_CC of the kernel).
const INITIAL_CHARACTERS: [u8; NCCS] = [
    0x03, 0x1c, 0x7f, 0x15, 0x04, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0, 0, 0,
];

/// The speed that a new terminal claims to have, in bits a second.
const INITIAL_SPEED: u32 = 38400;

impl Settings {
    /// Bytes of the kernel's `struct termios`.
    pub const SIZE: usize = 36;
    /// Bytes of `struct termios2`, which goes on with both speeds.
    pub const SIZE2: usize = 44;

    /// Those of a new pseudo-terminal: lines are edited and echoed (`tty_std_termios` of the kernel).
    pub fn new() -> Self {
        Self {
            input: InputModes::ICRNL | InputModes::IXON,
            output: OutputModes::OPOST | OutputModes::ONLCR,
            control: B38400 | CS8 | CREAD,
            local: LocalModes::ISIG
                | LocalModes::ICANON
                | LocalModes::ECHO
                | LocalModes::ECHOE
                | LocalModes::ECHOK
                | LocalModes::ECHOCTL
                | LocalModes::ECHOKE
                | LocalModes::IEXTEN,
            line: 0,
            characters: INITIAL_CHARACTERS,
            input_speed: INITIAL_SPEED,
            output_speed: INITIAL_SPEED,
        }
    }

    /// As `struct termios2`; its first [`Self::SIZE`] bytes are `struct termios`.
    pub fn to_bytes(&self) -> [u8; Self::SIZE2] {
        let mut bytes = [0; Self::SIZE2];
        let words = [
            self.input.bits(),
            self.output.bits(),
            self.control,
            self.local.bits(),
        ];
        let head = words.into_iter().flat_map(u32::to_ne_bytes);
        let middle = core::iter::once(self.line).chain(self.characters);
        let speeds = [self.input_speed, self.output_speed];
        let tail = speeds.into_iter().flat_map(u32::to_ne_bytes);
        for (place, byte) in bytes.iter_mut().zip(head.chain(middle).chain(tail)) {
            *place = byte;
        }
        bytes
    }

    /// From `struct termios`; the speeds follow from it.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 4];
            word.iter_mut()
                .zip(bytes.iter().skip(at))
                .for_each(|(place, byte)| *place = *byte);
            u32::from_ne_bytes(word)
        };
        let mut characters = [0; NCCS];
        characters
            .iter_mut()
            .zip(bytes.iter().skip(17))
            .for_each(|(place, byte)| *place = *byte);
        let control = word(8);
        let speed = speed_of(control & CBAUD).unwrap_or(INITIAL_SPEED);
        Self {
            input: InputModes::from_bits_retain(word(0)),
            output: OutputModes::from_bits_retain(word(4)),
            control: as_pty(control),
            local: LocalModes::from_bits_retain(word(12)),
            line: bytes.get(16).copied().unwrap_or_default(),
            characters,
            input_speed: speed,
            output_speed: speed,
        }
    }

    /// From `struct termios2`, which has speeds of its own if it says BOTHER.
    pub fn from_bytes2(bytes: &[u8; Self::SIZE2]) -> Self {
        let (head, tail) = bytes.split_at(Self::SIZE);
        let mut first = [0; Self::SIZE];
        first.copy_from_slice(head);
        let mut settings = Self::from_bytes(&first);
        let speed = |at: usize| {
            let mut word = [0; 4];
            word.iter_mut()
                .zip(tail.iter().skip(at))
                .for_each(|(place, byte)| *place = *byte);
            u32::from_ne_bytes(word)
        };
        if settings.control & CBAUD == BOTHER {
            (settings.input_speed, settings.output_speed) = (speed(0), speed(4));
        }
        settings
    }

    pub(crate) fn has_input(&self, mode: InputModes) -> bool {
        self.input.contains(mode)
    }

    pub(crate) fn has_output(&self, mode: OutputModes) -> bool {
        self.output.contains(mode)
    }

    /// Whether a local mode is on.
    pub fn has(&self, mode: LocalModes) -> bool {
        self.local.contains(mode)
    }

    /// Whether reads give lines.
    pub(crate) fn is_canonical(&self) -> bool {
        self.has(LocalModes::ICANON) && !self.has(LocalModes::EXTPROC)
    }

    fn character(&self, place: usize) -> u8 {
        self.characters.get(place).copied().unwrap_or_default()
    }

    /// Whether `byte` is this control character; one that is 0 is off.
    fn is(&self, byte: u8, place: usize) -> bool {
        byte != 0 && self.character(place) == byte
    }

    /// As [`Self::is`], of those that need IEXTEN.
    fn is_extended(&self, byte: u8, place: usize) -> bool {
        self.has(LocalModes::IEXTEN) && self.is(byte, place)
    }

    pub(crate) fn is_interrupt(&self, byte: u8) -> bool {
        self.is(byte, VINTR)
    }

    pub(crate) fn is_quit(&self, byte: u8) -> bool {
        self.is(byte, VQUIT)
    }

    pub(crate) fn is_suspend(&self, byte: u8) -> bool {
        self.is(byte, VSUSP)
    }

    pub(crate) fn is_start(&self, byte: u8) -> bool {
        self.is(byte, VSTART)
    }

    pub(crate) fn is_stop(&self, byte: u8) -> bool {
        self.is(byte, VSTOP)
    }

    pub(crate) fn is_erase(&self, byte: u8) -> bool {
        self.is(byte, VERASE)
    }

    pub(crate) fn is_kill(&self, byte: u8) -> bool {
        self.is(byte, VKILL)
    }

    pub(crate) fn is_word_erase(&self, byte: u8) -> bool {
        self.is_extended(byte, VWERASE)
    }

    pub(crate) fn is_literal_next(&self, byte: u8) -> bool {
        self.is_extended(byte, VLNEXT)
    }

    pub(crate) fn is_reprint(&self, byte: u8) -> bool {
        self.has(LocalModes::ECHO) && self.is_extended(byte, VREPRINT)
    }

    pub(crate) fn is_end_of_file(&self, byte: u8) -> bool {
        self.is(byte, VEOF)
    }

    pub(crate) fn is_end_of_line(&self, byte: u8) -> bool {
        self.is(byte, VEOL) || self.is_extended(byte, VEOL2)
    }

    pub(crate) fn erase_character(&self) -> u8 {
        self.character(VERASE)
    }

    pub(crate) fn kill_character(&self) -> u8 {
        self.character(VKILL)
    }

    /// The characters by which output is stopped and started.
    pub(crate) fn flow_characters(&self) -> [u8; 2] {
        [self.character(VSTOP), self.character(VSTART)]
    }

    /// Bytes that a read waits for, outside of canonical mode.
    pub(crate) fn minimum(&self) -> usize {
        self.character(VMIN).into()
    }

    /// How long it waits for them, in tenths of a second; 0 for ever.
    pub(crate) fn time(&self) -> u8 {
        self.character(VTIME)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// What a pseudo-terminal makes of `c_cflag`: eight bits and no parity, whatever it is asked for (pty_set_termios of the kernel).
fn as_pty(control: u32) -> u32 {
    control & !(CSIZE | PARENB) | CS8 | CREAD
}

/// Bits a second of the speeds with a name (asm-generic/termbits-common.h).
fn speed_of(code: u32) -> Option<u32> {
    const SLOW: [u32; 16] = [
        0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
    ];
    const FAST: [u32; 16] = [
        0, 57600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000,
        2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
    ];
    let place = (code & B38400) as usize;
    let table = if code & BOTHER == 0 { SLOW } else { FAST };
    if code == BOTHER {
        None
    } else {
        table.get(place).copied()
    }
}

/// `struct winsize`: rows, columns, and the size in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSize(pub [u16; 4]);

impl WindowSize {
    /// Bytes of the structure.
    pub const SIZE: usize = 8;

    /// As the structure.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [[a, b], [c, d], [e, f], [g, h]] = self.0.map(u16::to_ne_bytes);
        [a, b, c, d, e, f, g, h]
    }

    /// From the structure.
    pub fn from_bytes([a, b, c, d, e, f, g, h]: [u8; Self::SIZE]) -> Self {
        Self([[a, b], [c, d], [e, f], [g, h]].map(u16::from_ne_bytes))
    }
}
