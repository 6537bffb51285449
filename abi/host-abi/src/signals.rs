//! The signals that a host passes on to the container's first process.

/// As `docker kill` is used: SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGWINCH. To these comes the image's
/// StopSignal, which is measured.
pub const PASSED_SIGNALS: u64 = mask(&[1, 2, 3, 10, 12, 15, 18, 28]);

/// The bit of a signal, 1 to 64; none for other numbers.
pub const fn signal_bit(signal: u8) -> u64 {
    match signal.checked_sub(1) {
        Some(index) if index < 64 => 1 << index,
        _ => 0,
    }
}

const fn mask(signals: &[u8]) -> u64 {
    let mut rest = signals;
    let mut mask = 0;
    while let [signal, behind @ ..] = rest {
        mask |= signal_bit(*signal);
        rest = behind;
    }
    mask
}
