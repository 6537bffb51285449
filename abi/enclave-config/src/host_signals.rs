//! Which signals the host may send to the container's first process.

/// A set of signals, numbered from 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSignals(u64);

impl HostSignals {
    /// None.
    pub const NONE: Self = Self(0);
    /// What people send with `docker kill`, and engines with a terminal: SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM and
    /// SIGWINCH.
    pub const USUAL: Self = Self::NONE
        .with(1)
        .with(2)
        .with(3)
        .with(10)
        .with(12)
        .with(15)
        .with(28);

    /// The signals of a mask: bit `n - 1` is signal `n`.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The mask.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// With one more. A number that is no signal's changes nothing.
    #[must_use]
    pub const fn with(self, signal: u8) -> Self {
        Self(self.0 | bit(signal))
    }

    /// Whether a signal is among them.
    pub const fn has(self, signal: u8) -> bool {
        self.0 & bit(signal) != 0
    }
}

const fn bit(signal: u8) -> u64 {
    match signal {
        1..=64 => 1u64.rotate_left(signal.wrapping_sub(1) as u32),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_bits() {
        let set = HostSignals::NONE.with(1).with(64).with(0).with(65).with(255);
        assert_eq!(set.bits(), 1 << 63 | 1);
        assert_eq!(
            (set.has(1), set.has(64), set.has(2), set.has(0)),
            (true, true, false, false)
        );
        assert_eq!(HostSignals::USUAL.bits(), 0x0800_4a07);
    }
}
