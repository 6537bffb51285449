//! Erasing: of a character, a word, or a line that is being edited, with its echo (`eraser` of the kernel).

use linux_abi::LocalModes;

use crate::input::Input;
use crate::output::{Output, is_continuation};
use crate::{Settings, is_control};

/// How much is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erase {
    Character,
    Word,
    Line,
}

/// Echoes a character, control characters as ECHOCTL says.
pub(crate) fn echo(byte: u8, output: &mut Output, settings: &Settings) {
    match settings.has(LocalModes::ECHOCTL) && is_control(byte) && byte != b'\t' {
        true => output.echo_control(byte),
        false => output.echo_raw(byte, settings),
    }
}

/// Ends what ECHOPRT has begun.
pub(crate) fn finish(is_erasing: &mut bool, output: &mut Output, settings: &Settings) {
    if core::mem::take(is_erasing) {
        output.echo_raw(b'/', settings);
    }
}

/// Erases; `is_erasing` is whether erased characters are being shown (ECHOPRT).
pub(crate) fn erase(
    what: Erase,
    is_erasing: &mut bool,
    input: &mut Input,
    output: &mut Output,
    settings: &Settings,
) {
    if input.is_at_line_start() {
        return;
    }
    let echoes = settings.has(LocalModes::ECHO);
    if what == Erase::Line {
        if !echoes {
            input.forget_line();
            return;
        }
        let in_place = LocalModes::ECHOK | LocalModes::ECHOKE | LocalModes::ECHOE;
        if !settings.has(in_place) {
            input.forget_line();
            finish(is_erasing, output, settings);
            echo(settings.kill_character(), output, settings);
            if settings.has(LocalModes::ECHOK) {
                output.echo_raw(b'\n', settings);
            }
            return;
        }
    }
    let mut in_word = false;
    while let Some((first, len)) = last_character(input, settings) {
        if what == Erase::Word {
            if is_of_word(first) {
                in_word = true;
            } else if in_word {
                break;
            }
        }
        let mut character = [0; MOST_BYTES];
        for place in character.iter_mut().take(len).rev() {
            *place = input.take_back().unwrap_or_default();
        }
        if echoes {
            let bytes = character.get(..len).unwrap_or_default();
            echo_erased(what, bytes, is_erasing, input, output, settings);
        }
        if what == Erase::Character {
            break;
        }
    }
    if input.is_at_line_start() && echoes {
        finish(is_erasing, output, settings);
    }
}

/// Bytes of a character that are erased as one; a longer run of continuations is no UTF-8.
const MOST_BYTES: usize = 8;

/// The first byte of the last character of the line, and how many bytes it has; `None` if its beginning is not there.
fn last_character(input: &Input, settings: &Settings) -> Option<(u8, usize)> {
    let bytes = input.edited().rev().take(MOST_BYTES);
    let mut bytes = bytes.zip(1..);
    bytes.find(|&(byte, _)| !is_continuation(byte, settings))
}

/// Letters, digits and the underscore; beyond ASCII the letters of Latin-1, as the kernel has them.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0xc0 && byte != 0xd7 && byte != 0xf7
}

fn echo_erased(
    what: Erase,
    character: &[u8],
    is_erasing: &mut bool,
    input: &Input,
    output: &mut Output,
    settings: &Settings,
) {
    let Some((&first, rest)) = character.split_first() else {
        return;
    };
    if settings.has(LocalModes::ECHOPRT) {
        if !*is_erasing {
            output.echo_raw(b'\\', settings);
            *is_erasing = true;
        }
        echo(first, output, settings);
        for &byte in rest {
            output.echo_raw(byte, settings);
            output.move_back();
        }
    } else if what == Erase::Character && !settings.has(LocalModes::ECHOE) {
        echo(settings.erase_character(), output, settings);
    } else if first == b'\t' {
        let (columns, after_tab) = columns_before(input, settings);
        output.erase_tab(columns, after_tab);
    } else {
        let is_shown = !is_control(first) || settings.has(LocalModes::ECHOCTL);
        let columns = usize::from(is_shown) + usize::from(is_shown && is_control(first));
        for _ in 0..columns {
            for byte in *b"\x08 \x08" {
                output.echo_raw(byte, settings);
            }
        }
    }
}

/// Columns of the line that is being edited, since the last tab in it; and whether there is one.
fn columns_before(input: &Input, settings: &Settings) -> (usize, bool) {
    let mut columns = 0;
    for byte in input.edited().rev() {
        if byte == b'\t' {
            return (columns, true);
        }
        columns += if is_control(byte) {
            2 * usize::from(settings.has(LocalModes::ECHOCTL))
        } else {
            usize::from(!is_continuation(byte, settings))
        };
    }
    (columns, false)
}
