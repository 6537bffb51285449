//! The table of lies: what the host answers instead of the truth, the program that hears it, and how the run may end.
//!
//! One file for each family of calls. A [`Lie`] is data; [`crate::liar`] tells it.

/// A table, one lie a line: rustfmt leaves alone what stands in braces.
macro_rules! table {
    ($($lie:expr),* $(,)?) => {
        &[$($lie),*]
    };
}

mod boot;
mod chaos;
mod clocks;
mod loopback;
mod memory;
mod pages;
mod poll;
mod quotes;
mod registers;
mod sockets;
mod steps;
mod streams;
mod threads;

use host_abi::CallCode;

/// One lie.
#[derive(Clone, Copy, Debug)]
pub struct Lie {
    /// Unique.
    pub name: &'static str,
    /// The program that is lied to: a file in `guests/`.
    pub guest: &'static str,
    /// What is said.
    pub tell: Tell,
    /// How it may end.
    pub ends: &'static [End],
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub enum Tell {
    /// The truth.
    Truth,
    /// Another answer to these calls, each time that `when` says.
    Answer(&'static [CallCode], When, Answer),
    /// This became of each posted piece, which is sent or not as the truth is.
    Posted(i64),
    /// Other boot information.
    Boot(Boot),
    /// These signals, at one entry in eight from the first output of the program on: it has its handlers then.
    Signals(u64),
    /// The call area lies here.
    CallArea(u64),
    /// The truth, but the process gets SIGWINCH all the time: threads are woken, or interrupted wherever they are.
    Storm,
    /// The truth, but each entry begins with these registers, and the secret is looked for in all that an exit leaves.
    Registers(Registers),
    /// The truth, but the pages of this range of addresses are taken away for an instant, one after the other, all the time.
    Withheld(u64, u64),
    /// The truth, but the first so many instructions of each thread are stepped through, with interrupts at some.
    Steps(u64),
    /// The truth, but each third reading of the time-stamp counter is so many ticks too small.
    CounterBack(u64),
    /// While the enclave runs, the beginning of the staging buffers changes all the time.
    Race,
}

/// Which of the calls are lied to. Calls are counted from 0 over all codes of the lie.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Each.
    Always,
    /// Only this one.
    Only(u64),
    /// One in so many, the first one not.
    Every(u64),
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// The call is served, and another value reported.
    Value(i64),
    /// The call is served, and so much more (or less) reported.
    Shifted(i64),
    /// The call is not served, and this is reported.
    Instead(i64, [u64; 2]),
    /// The call is served, and another of the two further words reported.
    Extra(usize, u64),
    /// The call is served, and the staging buffer then filled with noise from here to its end.
    Noise(usize),
    /// The call is served, and the staging buffer then filled with this byte from here to its end.
    Filled(usize, u8),
    /// The call is not served, the staging buffer gets these bytes, and this value is reported.
    Staged(&'static [u8], i64),
    /// The call is served, and its first event of 16 bytes repeated: this many are reported.
    Repeated(i64),
    /// The call is served, and noise in the value and the further words is reported.
    Random,
    /// The answer to the call before is given again, without serving this one.
    Stale,
    /// The first of these calls is served; its answer, with what lay in the staging buffer then, is given to all that follow.
    Replayed,
}

/// With which registers the host enters.
#[derive(Clone, Copy, Debug)]
pub enum Registers {
    /// Whatever they hold.
    AsTheyAre,
    /// These components (bits of XCR0) in use, with MXCSR and x87's control word.
    Used(u64, u32, u16),
}

/// What is changed in the boot information.
#[derive(Clone, Copy, Debug)]
pub enum Boot {
    /// Another word at this offset.
    Word(usize, u64),
    /// It ends here; noise follows.
    Cut(usize),
    /// Every answer of CPUID is this.
    Cpuid(u32),
    /// This register (0 is EAX) of the answer for this leaf and subleaf.
    CpuidRegister([u32; 2], usize, u32),
    /// Noise in the place of the answers of CPUID.
    CpuidNoise,
    /// So many arguments, of this many bytes each.
    Args(usize, usize),
    /// A variable.
    Env(&'static [u8]),
    /// A host name.
    Hostname(&'static [u8]),
    /// A resolv.conf of this many bytes.
    ResolvConf(usize),
    /// A key for an image that is not encrypted.
    ImageKey,
    /// `--trace` and `--stats`.
    Flags,
    /// Nothing but noise.
    Noise,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The program saw no error, or errors that Linux may give: it has seen nothing that Linux promises not to show.
    Right,
    /// The enclave refused to start, with one line.
    Refused,
    /// The enclave stopped, with one line.
    Stopped,
    /// The program was killed, as by a signal that a host may send, or for want of memory.
    Killed,
    /// Nothing happened for long, and the host is asked for what it does not give.
    Starved,
}

/// All lies.
pub fn all() -> impl Iterator<Item = &'static Lie> {
    let families = [
        streams::LIES,
        sockets::LIES,
        loopback::LIES,
        clocks::LIES,
        poll::LIES,
        boot::LIES,
        threads::LIES,
        memory::LIES,
        pages::LIES,
        steps::LIES,
        registers::LIES,
        quotes::LIES,
        chaos::LIES,
    ];
    families.into_iter().flatten()
}

/// The ends of most lies.
const RIGHT: &[End] = &[End::Right];

/// A lie in answers.
const fn answer(
    name: &'static str,
    guest: &'static str,
    calls: &'static [CallCode],
    when: When,
    answer: Answer,
    ends: &'static [End],
) -> Lie {
    Lie {
        name,
        guest,
        tell: Tell::Answer(calls, when, answer),
        ends,
    }
}

/// A lie about posted pieces.
const fn posted(name: &'static str, result: i64) -> Lie {
    Lie {
        name,
        guest: "sockets",
        tell: Tell::Posted(result),
        ends: RIGHT,
    }
}

/// Error numbers of Linux as answers.
const EPERM: i64 = -1;
const EINTR: i64 = -4;
const EIO: i64 = -5;
const EAGAIN: i64 = -11;
const ENOMEM: i64 = -12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().map(|lie| lie.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn every_call_is_lied_to() {
        // These are not to be made at all without debugging, whatever the host announces: then the liar says so
        // (threads/exec-without-debug). What a debug enclave reads of a request is fuzzed.
        const NEVER: [CallCode; 2] = [CallCode::TakeRequest, CallCode::AnswerRequest];
        let told =
            |code| all().any(|lie| matches!(lie.tell, Tell::Answer(calls, ..) if calls.contains(&code)));
        let honest: Vec<_> = CallCode::ALL
            .iter()
            .filter(|code| !told(**code) && !NEVER.contains(code))
            .collect();
        assert!(honest.is_empty(), "{honest:?}");
    }
}
