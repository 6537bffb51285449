use linux_abi::OutputModes;
use linux_abi::termios::{VEOL, VMIN, VTIME};
use proptest::prelude::*;

use super::*;

fn all(pair: &mut Pair) -> String {
    String::from_utf8(pair.read_master(usize::MAX)).unwrap()
}

/// What a program reads and what the terminal shows, after these bytes were typed.
fn typed(pair: &mut Pair, bytes: &[u8]) -> (String, String) {
    assert_eq!(pair.write_master(bytes), bytes.len());
    let mut read = Vec::new();
    while pair.slave_is_readable() {
        read.extend(pair.read_slave(100));
    }
    (String::from_utf8(read).unwrap(), all(pair))
}

fn with(change: impl FnOnce(&mut Settings)) -> Pair {
    let mut pair = Pair::new();
    let mut settings = pair.settings().clone();
    change(&mut settings);
    pair.set_settings(settings);
    pair
}

fn character(settings: &Settings, place: usize, byte: u8) -> Settings {
    let mut bytes = settings.to_bytes();
    bytes[17 + place] = byte;
    Settings::from_bytes2(&bytes)
}

#[test]
fn a_line_is_edited_and_echoed() {
    let mut pair = Pair::new();
    assert_eq!(
        typed(&mut pair, b"helo\x7f\x7fllo\r"),
        ("hello\n".into(), "helo\x08 \x08\x08 \x08llo\r\n".into())
    );
    // A word, then the whole line.
    assert_eq!(
        typed(&mut pair, b"a bc\x17\x15x\n").0,
        "x\n",
        "word and line are erased"
    );
}

#[test]
fn an_incomplete_line_is_not_read() {
    let mut pair = Pair::new();
    assert_eq!(typed(&mut pair, b"abc"), (String::new(), "abc".into()));
    assert_eq!(pair.slave_unread(), 0);
    assert_eq!(typed(&mut pair, b"\n").0, "abc\n");
}

#[test]
fn an_end_of_file_ends_a_read_and_is_not_read() {
    let mut pair = Pair::new();
    pair.write_master(b"ab\x04\x04cd\n");
    assert_eq!(pair.slave_unread(), 5);
    assert_eq!(pair.read_slave(100), b"ab");
    assert!(pair.slave_is_readable());
    assert_eq!(pair.read_slave(100), b"");
    assert_eq!(pair.read_slave(2), b"cd");
    assert_eq!(pair.read_slave(2), b"\n");
    assert!(!pair.slave_is_readable());
    // One that follows a read that was just long enough is not read as an end of its own.
    pair.write_master(b"ab\x04");
    assert_eq!(pair.read_slave(2), b"ab");
    assert!(!pair.slave_is_readable());
}

#[test]
fn keys_are_told_and_flush() {
    let mut pair = Pair::new();
    pair.write_master(b"lost\x03kept\x1a");
    let keys = pair.take_keys();
    assert!(keys.interrupt && keys.suspend && !keys.quit);
    assert_eq!(pair.take_keys(), Keys::default());
    assert_eq!(all(&mut pair), "^Z");
    let mut pair = with(|settings| settings.local -= LocalModes::ISIG);
    assert_eq!(typed(&mut pair, b"\x03\n"), ("\x03\n".into(), "^C\r\n".into()));
    assert_eq!(pair.take_keys(), Keys::default());
}

#[test]
fn a_literal_character_has_no_effect() {
    let mut pair = Pair::new();
    assert_eq!(
        typed(&mut pair, b"\x16\x03\x16\x04\n"),
        ("\x03\x04\n".into(), "^\x08^C^\x08^D\r\n".into())
    );
}

#[test]
fn a_tab_is_erased_to_where_it_began() {
    let mut pair = Pair::new();
    pair.write_slave(b"prompt> ");
    assert_eq!(all(&mut pair), "prompt> ");
    typed(&mut pair, b"ab\t");
    assert_eq!(typed(&mut pair, b"\x7f").1, "\x08".repeat(6));
    typed(&mut pair, b"\t\t");
    assert_eq!(typed(&mut pair, b"\x7f").1, "\x08".repeat(8));
}

#[test]
fn a_character_of_utf_8_is_erased_whole() {
    let mut pair = with(|settings| settings.input |= InputModes::IUTF8);
    assert_eq!(typed(&mut pair, "aé\x7f\n".as_bytes()).0, "a\n");
    let mut pair = Pair::new();
    pair.write_master("é\x7f\n".as_bytes());
    assert_eq!(pair.read_slave(10), [0xc3, b'\n']);
}

#[test]
fn output_is_stopped_and_started() {
    let mut pair = Pair::new();
    assert_eq!(pair.write_slave(b"a\n"), 2);
    pair.write_master(b"\x13");
    assert_eq!((pair.slave_room(), pair.write_slave(b"b")), (0, 0));
    pair.write_master(b"x");
    assert_eq!(all(&mut pair), "a\r\n");
    pair.write_master(b"\x11");
    assert_eq!((pair.write_slave(b"b"), all(&mut pair)), (1, "xb".into()));
    pair.flow(FlowAction::TCOOFF);
    pair.write_master(b"\x11");
    assert_eq!(pair.write_slave(b"c"), 0);
    pair.flow(FlowAction::TCOON);
    assert_eq!(pair.write_slave(b"c"), 1);
}

#[test]
fn output_is_processed() {
    let mut pair = with(|settings| settings.output |= OutputModes::XTABS);
    pair.write_slave(b"ab\tc\n\td");
    assert_eq!(all(&mut pair), "ab      c\r\n        d");
    let mut pair = with(|settings| settings.output = OutputModes::empty());
    pair.write_slave(b"a\n\t");
    assert_eq!(all(&mut pair), "a\n\t");
}

#[test]
fn raw_bytes_come_at_once() {
    let mut pair = with(|settings| {
        (settings.input, settings.local) = (InputModes::empty(), LocalModes::empty());
    });
    assert_eq!(
        typed(&mut pair, b"\r\n\x03\x04"),
        ("\r\n\x03\x04".into(), String::new())
    );
    assert_eq!(pair.need(), Need::Bytes { minimum: 1, time: 0 });
    let settings = character(pair.settings(), VMIN, 5);
    pair.set_settings(settings);
    pair.write_master(b"abcd");
    assert!(pair.slave_is_readable() && !pair.slave_polls_readable());
    let settings = character(pair.settings(), VTIME, 1);
    pair.set_settings(settings);
    assert!(pair.slave_polls_readable());
}

#[test]
fn what_was_received_raw_becomes_a_line() {
    let mut pair = with(|settings| settings.local -= LocalModes::ICANON);
    pair.write_master(b"ab");
    pair.set_settings(Settings::new());
    assert_eq!(pair.slave_unread(), 2);
    pair.write_master(b"c\n");
    assert_eq!(pair.read_slave(10), b"ab");
    assert_eq!(pair.read_slave(10), b"c\n");
}

#[test]
fn a_long_line_is_cut_and_can_be_ended() {
    let mut pair = Pair::new();
    assert_eq!(pair.write_master(&[b'x'; 5000]), 5000);
    pair.write_master(b"\n");
    let line = pair.read_slave(10000);
    assert_eq!((line.len(), line.last()), (4096, Some(&b'\n')));
}

#[test]
fn packets_tell_of_changes() {
    let mut pair = Pair::new();
    pair.set_packets(true);
    pair.write_slave(b"ab");
    assert_eq!(pair.read_master(10), b"\0ab");
    assert_eq!(pair.read_master(10), b"");
    pair.write_master(b"\x13");
    assert!(pair.has_status());
    assert_eq!(pair.read_master(10), [PacketStatus::TIOCPKT_STOP.bits()]);
    pair.flush(FlushQueue::TCIOFLUSH);
    let both = PacketStatus::TIOCPKT_FLUSHREAD | PacketStatus::TIOCPKT_FLUSHWRITE;
    assert_eq!(pair.read_master(10), [both.bits()]);
}

#[test]
fn settings_are_read_as_they_were_written() {
    let settings = character(&Settings::new(), VEOL, b';');
    assert_eq!(Settings::from_bytes2(&settings.to_bytes()), settings);
    let mut pair = Pair::new();
    pair.set_settings(settings);
    assert_eq!(typed(&mut pair, b"ab;").0, "ab;");
}

proptest! {
    /// Whatever is typed, written and set: no queue grows beyond its bound, and nothing is made up.
    #[test]
    fn queues_are_bounded(steps in prop::collection::vec((0u8..5, prop::collection::vec(any::<u8>(), 0..3000), any::<[u8; 44]>()), 1..20)) {
        let mut pair = Pair::new();
        for (step, bytes, settings) in steps {
            match step {
                0 => { pair.write_master(&bytes); }
                1 => { pair.write_slave(&bytes); }
                2 => { prop_assert!(pair.read_slave(bytes.len()).len() <= bytes.len()); }
                3 => { prop_assert!(pair.read_master(bytes.len()).len() <= bytes.len()); }
                _ => pair.set_settings(Settings::from_bytes2(&settings)),
            }
            prop_assert!(pair.incoming.len() <= MOST_INCOMING);
            prop_assert!(pair.input.len() <= crate::input::MOST);
            prop_assert!(pair.output.len() <= 8192 + 4096);
            prop_assert!(pair.slave_unread() <= pair.input.len());
        }
    }
}
