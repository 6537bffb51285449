//! Names of signals: the `StopSignal` of an image is a name or a number, and so are those that a host may send.

/// signal(7), x86, in order from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// Other names for some of them.
const ALIASES: [(&str, u8); 3] = [("IOT", 6), ("CLD", 17), ("POLL", 29)];
const TERM: u8 = 15;
const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

/// The number of an image's StopSignal: SIGTERM if the text is empty, `None` if it names no signal.
pub(crate) fn stop_signal(text: &str) -> Option<u8> {
    if text.is_empty() {
        Some(TERM)
    } else {
        signal_number(text)
    }
}

/// The number of a signal, 1 to 64, from its number or its name with or without SIG; `None` if the text names none.
pub fn signal_number(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return u8::try_from(index + 1).ok();
    }
    if let Some((_, number)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(*number);
    }
    let real_time = match name {
        "RTMIN" => Some(RTMIN),
        "RTMAX" => Some(RTMAX),
        _ => match name.split_at_checked(6)? {
            ("RTMIN+", offset) => RTMIN.checked_add(offset.parse().ok()?),
            ("RTMAX-", offset) => RTMAX.checked_sub(offset.parse().ok()?),
            _ => None,
        },
    };
    real_time.filter(|number| (RTMIN..=RTMAX).contains(number))
}

/// The name of a signal.
pub fn signal_name(number: u8) -> String {
    let index = usize::from(number).wrapping_sub(1);
    match (NAMES.get(index), number.checked_sub(RTMIN)) {
        (Some(name), _) => format!("SIG{name}"),
        (None, Some(0)) => "SIGRTMIN".into(),
        (None, Some(offset)) => format!("SIGRTMIN+{offset}"),
        (None, None) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_signals() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("quit", 3),
            ("SIGINT", 2),
            ("9", 9),
            ("SIGSYS", 31),
            ("SIGRTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("64", 64),
            ("sigwinch", 28),
            ("SIGIOT", 6),
            ("SIGCLD", 17),
            ("POLL", 29),
        ] {
            assert_eq!(signal_number(text), Some(number), "{text}");
        }
        for number in 1..=64 {
            assert_eq!(signal_number(&signal_name(number)), Some(number));
        }
        assert_eq!((stop_signal(""), stop_signal("SIGQUIT")), (Some(15), Some(3)));
        for wrong in [
            "",
            "0",
            "65",
            "SIGFOO",
            "SIGRTMIN+31",
            "RTMAX-31",
            "RTMIN+x",
            "-1",
            "é",
        ] {
            assert_eq!(signal_number(wrong), None, "{wrong}");
        }
    }
}
